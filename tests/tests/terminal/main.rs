//! The `control-room` binary in a pseudo-terminal, and its desktop notifications on a real D-Bus.
mod flow;
mod notification;
mod restore;
