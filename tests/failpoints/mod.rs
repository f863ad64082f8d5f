//! Calls of the system that fail: in each tool and in the worker, each open, write, sync, rename, connect and the
//! like that it makes, one after the other, until a run has none left to fail. After each the answer is the same,
//! or the exit status says that there is none; nothing lies under the name of an output but what belongs
//! there, and nothing is left.
//!
//! The tools know nothing of it: what fails is between them and the C library (`preload.c`).
//! `scripts/failpoints` has more of it than the gate.

mod calls;
mod flipped;
mod local;
mod pipeline;
mod published;
mod remote;
mod sweep;
