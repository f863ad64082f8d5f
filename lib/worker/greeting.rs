//! How a tool begins: its greeting, and the run that it may name.

use crate::error::{Error, Result, broken};
use crate::format::ledger::Ledger;
use crate::wire::message::{self, Ask, Failed, Hello, Reply, Welcome};
use crate::wire::{BUILD, FrameKind, FrameReader, VERSION};
use crate::worker::base::Base;
use crate::worker::frame_writer::FrameWriter;
use crate::worker::store::Store;

/// Waits for the greeting.
///
/// # Errors
/// `Incomplete` when it does not come, or is another version's.
pub(super) fn hello(frames: &mut FrameReader) -> Result<Hello> {
    let Some((kind, payload)) = frames.first()? else {
        return Err(Error::incomplete("the tool has gone"));
    };
    match (kind, message::decode(&payload)?) {
        (FrameKind::Control, Ask::Hello(hello)) if hello.protocol == VERSION => Ok(hello),
        (FrameKind::Control, Ask::Hello(hello)) => Err(broken(format!(
            "version {} of the protocol (of {}), not {VERSION}",
            hello.protocol, hello.version
        ))),
        _ => Err(broken("no greeting")),
    }
}

/// The answer: what this host has.
pub(super) fn welcome(base: &Base, slots: u32, cores: u32, memory: u64) -> Welcome {
    Welcome {
        protocol: VERSION,
        version: BUILD.into(),
        slots,
        cores,
        memory,
        disk: base.free(),
        arch: std::env::consts::ARCH.into(),
        directory: base.path().as_os_str().into(),
        others: base.others().iter().map(|path| path.as_os_str().into()).collect(),
    }
}

/// The place for shards of the run that `hello` begins, if it begins one.
///
/// # Errors
/// `Storage` when there can be none, which the tool is told.
pub(super) fn begin(
    hello: &Hello,
    base: &Base,
    to_tool: &FrameWriter,
    ledger: Ledger,
) -> Result<Option<Store>> {
    let Some(run) = &hello.run else { return Ok(None) };
    let made = Store::create(base, run, ledger).and_then(|store| store.enter().map(|()| store));
    if let Err(error) = &made {
        to_tool.message(0, &Reply::Failed(Failed::of(error)))?;
    }
    made.map(Some)
}
