//! The limits of one input: memory by the allocator, processor time by the kernel's count.
//!
//! libFuzzer limits memory only under a sanitizer, and time only by the clock, which on a busy machine says nothing.

use std::alloc::System;
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::panic;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// What one input may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Beyond what was allocated before. An allocation that exceeds it aborts the program.
    pub memory: usize,
    pub processor_time: Duration,
}

/// Runs one input within its limits.
pub fn guard(input: &[u8], limits: Limits, work: impl FnOnce(&[u8])) {
    // An input that exhausts the stack kills the program before libFuzzer could write it to a file.
    static LAST: LazyLock<Option<File>> = LazyLock::new(|| File::create("last-input").ok());
    if let Some(last) = &*LAST {
        let _ = last.set_len(0);
        let _ = last.write_all_at(input, 0);
    }
    ALLOCATOR.set_limit(usize::MAX).expect("no limit is always possible");
    let before = processor_time();
    ALLOCATOR.set_limit(ALLOCATOR.allocated() + limits.memory).expect("more than is allocated");
    work(input);
    ALLOCATOR.set_limit(usize::MAX).expect("no limit is always possible");
    if let (Some(before), Some(after)) = (before, processor_time()) {
        let used = after.saturating_sub(before);
        assert!(used <= limits.processor_time, "{used:?} of processor time");
    }
}

/// What this thread has used so far, if the kernel counts it.
fn processor_time() -> Option<Duration> {
    thread_local! {
        static COUNT: Option<File> = File::open("/proc/thread-self/schedstat").ok();
    }
    COUNT.with(|count| {
        let mut text = [0; 64];
        let length = count.as_ref()?.read_at(&mut text, 0).ok()?;
        let text = str::from_utf8(&text[..length]).ok()?;
        Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
    })
}

/// Makes every panic a finding. Its message is made with as much memory as it takes.
pub fn watch_panics() {
    let abort = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        ALLOCATOR.set_limit(usize::MAX).expect("no limit is always possible");
        abort(info);
    }));
}

/// For code that contains panics of other crates: prints each place once, and only a panic that escapes is a finding.
/// Panics of our own crates and of the targets remain findings.
pub fn contain_panics() {
    static PLACES: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    watch_panics();
    let abort = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        if !place.contains(".cargo/registry") {
            return abort(info);
        }
        let is_new = PLACES.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone());
        if is_new {
            eprintln!("contained panic at {place}");
        }
    }));
}
