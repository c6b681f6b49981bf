//! Changes the terminal's modes (raw mode, alternate screen, mouse, paste, focus, cursor, title) and restores them
//! exactly once, whichever way the program ends. No other module may change them.
use std::{
    ffi::OsStr,
    io::{self, IsTerminal, Write, stdout},
    panic,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use anyhow::{Result, ensure};
use crossterm::{
    cursor::{Hide, Show},
    event::{
        DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste,
        EnableFocusChange, EnableMouseCapture,
    },
    execute,
    style::Print,
    terminal::{
        Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
        disable_raw_mode, enable_raw_mode,
    },
};

/// Whether the modes are changed now.
static TAKEN_OVER: AtomicBool = AtomicBool::new(false);

/// Save the window's title on the terminal's stack, and restore it.
const PUSH_TITLE: &str = "\u{1b}[22;0t";
const POP_TITLE: &str = "\u{1b}[23;0t";

/// Checks that stdin and stdout are a terminal that can draw, before anything is written.
///
/// # Errors
/// What is wrong, and what to do instead.
pub fn require() -> Result<()> {
    ensure!(
        io::stdin().is_terminal() && stdout().is_terminal(),
        "The screens need a terminal. Use a headless command instead: `control-room --help` lists them."
    );
    ensure!(
        can_draw(std::env::var_os("TERM").as_deref()),
        "The terminal calls itself dumb (TERM) and cannot show screens. Use another one, or a headless command: `control-room --help` lists them."
    );
    Ok(())
}

/// Whether a terminal with this `TERM` understands escape sequences.
fn can_draw(term: Option<&OsStr>) -> bool {
    term.is_none_or(|term| term != "dumb")
}

/// Restores the terminal when dropped.
#[derive(Debug)]
pub struct TerminalGuard {
    mouse: bool,
}

impl TerminalGuard {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// When there is no terminal.
    pub fn enter(mouse: bool) -> io::Result<Self> {
        let guard = Self { mouse };
        guard.resume()?;
        Ok(guard)
    }

    /// Takes the terminal over again after [`restore`].
    ///
    /// # Errors
    /// When there is no terminal any more.
    pub fn resume(&self) -> io::Result<()> {
        TAKEN_OVER.store(true, Ordering::SeqCst);
        enable_raw_mode()?;
        execute!(
            stdout(),
            Print(PUSH_TITLE),
            EnterAlternateScreen,
            EnableBracketedPaste,
            EnableFocusChange,
            Hide,
            Clear(ClearType::All)
        )?;
        if self.mouse {
            execute!(stdout(), EnableMouseCapture)?;
        }
        Ok(())
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        restore();
    }
}

/// Restores the terminal, unless that was done already. Errors are ignored, because the terminal may be gone and
/// there is no other place to print them.
pub fn restore() {
    if !TAKEN_OVER.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = stdout();
    let _ = execute!(
        out,
        EndSynchronizedUpdate,
        DisableMouseCapture,
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Show,
        Print(POP_TITLE)
    );
    let _ = disable_raw_mode();
    let _ = out.flush();
}

/// Makes a panic of this thread restore the terminal before the message is printed. A panic of another thread goes to
/// the log only: the screens go on and show which task failed.
pub fn install_panic_hook() {
    let drawing = thread::current().id();
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if thread::current().id() == drawing || !TAKEN_OVER.load(Ordering::SeqCst) {
            restore();
            before(info);
        } else {
            tracing::error!("a background task panicked: {info}");
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dumb_terminal_gets_no_escape_sequences() {
        assert!(!can_draw(Some(OsStr::new("dumb"))));
        assert!(can_draw(Some(OsStr::new("xterm-256color"))) && can_draw(None));
    }
}
