//! The control room: terminal screens and headless commands around the mirror (`indexer`) and the
//! `backend`. It holds no key material and builds no transaction.
mod action;
mod cli;
mod config;
mod effect;
#[cfg(test)]
mod fixtures;
mod keymap;
mod logging;
mod model;
mod notify;
mod redact;
mod strings;
mod text;
mod theme;
mod update;
mod view;
mod widgets;
