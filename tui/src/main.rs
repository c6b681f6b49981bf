//! The `control-room` binary: everything is in the library.
use std::process::ExitCode;

fn main() -> ExitCode {
    control_room::main()
}
