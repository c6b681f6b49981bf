//! Derives from the order of messages up to which slot the stream is complete. Pure.
//!
//! A node sends a confirmed slot's accounts through one queue before it sends the slot as a root, so
//! after a root everything up to it has arrived. The websocket does not report confirmed slots. These
//! come from HTTP, and count as complete once the socket was drained after the answer and has then named
//! two later slots.
use super::write_buffer::StreamProgress;

/// Later slots that the stream must name before a slot that HTTP called confirmed counts as
/// complete.
const MIN_LATER_SLOTS: u8 = 2;

/// How far the stream is complete.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watermark {
    progress: StreamProgress,
    /// Newest slot of the stream.
    heard: u64,
    pending: Option<PendingProgress>,
    /// Arrived while `pending` was set.
    next: Option<StreamProgress>,
}

#[derive(Clone, Copy, Debug)]
struct PendingProgress {
    node_progress: StreamProgress,
    /// Slots that the stream has named since the socket was drained.
    since: Option<u8>,
}

impl Watermark {
    /// The node processes `slot`; `root` is final, 0 for unknown.
    pub fn slot(&mut self, slot: u64, root: u64) {
        self.heard = slot;
        self.root(root);
        if let Some(pending) = &mut self.pending
            && let Some(since) = &mut pending.since
            // Account messages still in flight are of earlier slots than this.
            && slot > pending.node_progress.confirmed.saturating_add(1)
        {
            *since = since.saturating_add(1);
            if *since >= MIN_LATER_SLOTS {
                self.progress = self.progress.max(pending.node_progress);
                self.pending = self
                    .next
                    .take()
                    .map(|node_progress| PendingProgress { node_progress, since: None });
            }
        }
    }

    /// `root` is final.
    pub fn root(&mut self, root: u64) {
        self.progress = self.progress.max(StreamProgress { confirmed: root, root });
    }

    /// The stream sent an account of `slot`: the slots before it are complete.
    pub fn account(&mut self, slot: u64) {
        let confirmed = slot.saturating_sub(1);
        self.progress = self.progress.max(StreamProgress { confirmed, root: 0 });
    }

    /// The node reported this progress over HTTP.
    pub fn node_progress(&mut self, node_progress: StreamProgress) {
        match &self.pending {
            Some(_) => self.next = Some(self.next.unwrap_or_default().max(node_progress)),
            None => self.pending = Some(PendingProgress { node_progress, since: None }),
        }
    }

    /// The socket is drained at this moment.
    pub fn rests(&mut self) {
        if let Some(pending) = &mut self.pending {
            pending.since.get_or_insert(0);
        }
    }

    /// Newest slot of the stream.
    #[must_use]
    pub fn heard(&self) -> u64 {
        self.heard
    }

    /// Up to where the stream is complete.
    #[must_use]
    pub fn progress(&self) -> StreamProgress {
        self.progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_completes_all_slots_up_to_it() {
        let mut mark = Watermark::default();
        mark.slot(50, 10);
        mark.root(15);
        mark.slot(51, 11);
        assert_eq!(mark.progress(), StreamProgress { confirmed: 15, root: 15 });
    }

    #[test]
    fn a_confirmed_slot_from_http_waits_for_two_later_slots() {
        let mut mark = Watermark::default();
        mark.node_progress(StreamProgress { confirmed: 100, root: 0 });
        // Slots from before the HTTP answer prove nothing.
        mark.slot(100, 0);
        mark.slot(101, 0);
        assert_eq!(mark.progress().confirmed, 0);
        mark.rests();
        mark.slot(102, 0);
        assert_eq!(mark.progress().confirmed, 0);
        mark.slot(103, 0);
        assert_eq!(mark.progress().confirmed, 100);
    }

    #[test]
    fn frequent_http_progress_is_neither_lost_nor_accepted_early() {
        let mut mark = Watermark::default();
        for confirmed in 100..110 {
            mark.node_progress(StreamProgress { confirmed, root: 0 });
            mark.rests();
        }
        mark.slot(110, 0);
        mark.slot(111, 0);
        assert_eq!(mark.progress().confirmed, 100);
        mark.rests();
        mark.slot(112, 0);
        mark.slot(113, 0);
        assert_eq!(mark.progress().confirmed, 109);
    }

    #[test]
    fn an_account_of_a_slot_completes_the_slots_before_it() {
        let mut mark = Watermark::default();
        mark.account(70);
        mark.account(69);
        assert_eq!(mark.progress(), StreamProgress { confirmed: 69, root: 0 });
    }
}
