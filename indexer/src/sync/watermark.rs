//! Up to which slot the stream is complete, derived from the order of its messages. Pure.
//!
//! A node tells of a confirmed slot's accounts through one queue before it tells that the slot is
//! final: so a root that is heard means that everything up to it has been heard. What is merely
//! confirmed says nothing on the socket; that is asked over HTTP, and believed once the socket was
//! read up to that moment and has told of two more slots.
use super::write_buffer::StreamProgress;

/// Later slots that the stream must name before a slot that HTTP called confirmed counts as
/// complete.
const MIN_LATER_SLOTS: u8 = 2;

/// How far the stream is complete.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watermark {
    progress: StreamProgress,
    /// Newest slot heard of.
    heard: u64,
    pending: Option<PendingProgress>,
    /// Came while another one was being waited for.
    next: Option<StreamProgress>,
}

#[derive(Clone, Copy, Debug)]
struct PendingProgress {
    node_progress: StreamProgress,
    /// Slots that the stream has named since the socket was drained.
    since: Option<u8>,
}

impl Watermark {
    /// The node works on `slot`, and holds `root` for final; 0 says nothing.
    pub fn slot(&mut self, slot: u64, root: u64) {
        self.heard = slot;
        self.root(root);
        if let Some(pending) = &mut self.pending
            && let Some(since) = &mut pending.since
            // What waits on the way here is of an earlier slot.
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

    /// The node said elsewhere that it has come so far.
    pub fn node_progress(&mut self, node_progress: StreamProgress) {
        match &self.pending {
            Some(_) => self.next = Some(self.next.unwrap_or_default().max(node_progress)),
            None => self.pending = Some(PendingProgress { node_progress, since: None }),
        }
    }

    /// Nothing waits to be read at this moment.
    pub fn rests(&mut self) {
        if let Some(pending) = &mut self.pending {
            pending.since.get_or_insert(0);
        }
    }

    /// Newest slot heard of.
    #[must_use]
    pub fn heard(&self) -> u64 {
        self.heard
    }

    /// How far everything has been heard.
    #[must_use]
    pub fn progress(&self) -> StreamProgress {
        self.progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_that_jumps_makes_all_slots_up_to_it_final() {
        let mut mark = Watermark::default();
        mark.slot(50, 10);
        mark.root(15);
        mark.slot(51, 11);
        assert_eq!(mark.progress(), StreamProgress { confirmed: 15, root: 15 });
    }

    #[test]
    fn a_slot_that_is_said_to_be_confirmed_waits_for_two_later_messages() {
        let mut mark = Watermark::default();
        mark.node_progress(StreamProgress { confirmed: 100, root: 0 });
        // What had come before it was said proves nothing.
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
    fn what_is_said_faster_than_slots_pass_is_not_forgotten_and_not_believed_early() {
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
    fn an_account_of_a_slot_says_that_the_slots_before_it_are_complete() {
        let mut mark = Watermark::default();
        mark.account(70);
        mark.account(69);
        assert_eq!(mark.progress(), StreamProgress { confirmed: 69, root: 0 });
    }
}
