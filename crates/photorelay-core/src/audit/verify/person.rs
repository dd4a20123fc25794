//! Verifies one user: the chain of entries, the photos that they name, and the evidence in the head, the newest
//! receipt and the newest checkpoint.

use std::collections::HashSet;

use super::finding::{Finding, Problem, checkpoint_blob};
use super::report::Report;
use super::walk::Traces;
use crate::audit::{self, AuditError, Committed};
use crate::contract::{self, AuditEntry, EntryKind, Head, MAX_CONTRACT_BYTES, Receipt};
use crate::id::{Digest, UserId};
use crate::names::{self, Container};
use crate::store::{BlobStore, StoreError};
use crate::vault::{self, VaultError};

/// photorelay never stores a larger photo, whatever an entry claims.
const MAX_BLOB_BYTES: u64 = 64 * 1024 * 1024;

pub(super) async fn verify(blobs: &dyn BlobStore, traces: Traces) -> Result<Report, StoreError> {
    let report = Report {
        people: u64::from(!traces.entries.is_empty()),
        entries: traces.entries.len() as u64,
        ..Report::default()
    };
    let mut person = Person { blobs, user: traces.user, report };
    for name in &traces.foreign {
        person.find(None, Problem::ForeignBlob { blob: format!("{}/{name}", Container::Audit) });
    }
    let trail = person.chain(&traces.entries).await?;
    person.photos(&trail).await?;
    person.receipt(&traces, &trail).await?;
    person.checkpoint(&traces, &trail).await?;
    if traces.has_head {
        person.head(&traces).await?;
    }
    Ok(person.report)
}

struct Person<'a> {
    blobs: &'a dyn BlobStore,
    user: UserId,
    report: Report,
}

impl Person<'_> {
    fn find(&mut self, seq: impl Into<Option<u32>>, problem: Problem) {
        self.report.findings.push(Finding::of(self.user, seq, problem));
    }

    /// Reads every entry. Only the first break in the chain is reported: later ones follow from it or cannot be
    /// distinguished from its consequences.
    async fn chain(&mut self, sequence: &[u32]) -> Result<Vec<Committed>, StoreError> {
        let mut trail: Vec<Committed> = Vec::with_capacity(sequence.len());
        let mut expected = (1, Digest::ZERO);
        let mut whole = true;
        for seq in sequence.iter().copied() {
            if whole && seq != expected.0 {
                self.find(expected.0, Problem::EntryMissing);
                whole = false;
            }
            let problem = match audit::read(self.blobs, self.user, seq).await {
                Ok(Some(committed)) => {
                    let names = committed.entry.previous;
                    let broken = whole && names != expected.1;
                    let problem = broken.then_some(Problem::ChainBroken { names, found: expected.1 });
                    expected = (seq + 1, committed.sha256);
                    trail.push(committed);
                    problem
                }
                // Listed a moment ago, and deleted since.
                Ok(None) => Some(Problem::EntryMissing),
                Err(AuditError::Store(StoreError::TooLarge { bytes, limit, .. })) => {
                    Some(Problem::EntryUnreadable { why: format!("its {bytes} bytes exceed the limit of {limit}") })
                }
                Err(AuditError::Store(error)) => return Err(error),
                Err(AuditError::Unreadable { source, .. }) => {
                    Some(Problem::EntryUnreadable { why: source.to_string() })
                }
                Err(AuditError::Misplaced { says_user, says_seq, .. }) => Some(Problem::EntryUnreadable {
                    why: format!("it names itself {}", names::audit_entry(says_user, says_seq)),
                }),
            };
            if let Some(problem) = problem {
                if whole {
                    self.find(seq, problem);
                }
                whole = false;
            }
        }
        Ok(trail)
    }

    /// Every photo and rendition that an entry names must exist, unless the user was forgotten.
    async fn photos(&mut self, trail: &[Committed]) -> Result<(), StoreError> {
        if trail.last().is_some_and(|newest| newest.entry.kind == EntryKind::Forgotten) {
            return Ok(());
        }
        let mut seen = HashSet::new();
        for Committed { entry, .. } in trail {
            if !matches!(entry.kind, EntryKind::Captured | EntryKind::Restored) {
                continue;
            }
            for (blob, sha256, bytes) in named_blobs(entry) {
                if !seen.insert(blob.clone()) {
                    continue;
                }
                let shown = format!("{}/{blob}", Container::Photos);
                match vault::read_verified(self.blobs, &blob, sha256, bytes.min(MAX_BLOB_BYTES)).await {
                    Ok(_) => self.report.blobs += 1,
                    Err(VaultError::Missing { .. }) => self.find(entry.seq, Problem::BlobMissing { blob: shown }),
                    Err(VaultError::Changed { .. } | VaultError::Store(StoreError::TooLarge { .. })) => {
                        self.find(entry.seq, Problem::BlobChanged { blob: shown });
                    }
                    Err(VaultError::Store(error)) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// The entry that the newest receipt names must exist, with the bytes it had when the agent acted on it. Rewriting
    /// an entry requires rewriting all later ones, so older receipts add nothing.
    async fn receipt(&mut self, traces: &Traces, trail: &[Committed]) -> Result<(), StoreError> {
        let Some(newest) = &traces.newest_receipt else { return Ok(()) };
        let (seq, name) = (newest.seq, newest.to_string());
        let evidence = format!("{}/{name}", Container::Receipts);
        if self.is_cut(seq, traces).await? {
            self.report_cut(seq, traces, evidence);
            return Ok(());
        }
        let Some(found) = trail.iter().find(|committed| committed.entry.seq == seq) else { return Ok(()) };
        match self.evidence::<Receipt>(Container::Receipts, &name).await? {
            Some(receipt) if receipt.entry_sha256 != found.sha256 => {
                let (saw, found) = (receipt.entry_sha256, found.sha256);
                self.find(seq, Problem::NotWhatTheAgentSaw { receipt: evidence, saw, found });
            }
            _ => {}
        }
        Ok(())
    }

    /// The entry that the newest checkpoint names must still exist, with the same bytes.
    async fn checkpoint(&mut self, traces: &Traces, trail: &[Committed]) -> Result<(), StoreError> {
        let Some((end, day)) = traces.known else { return Ok(()) };
        let checkpoint = checkpoint_blob(day);
        if self.is_cut(end.seq, traces).await? {
            self.report_cut(end.seq, traces, checkpoint);
            return Ok(());
        }
        match trail.iter().find(|committed| committed.entry.seq == end.seq) {
            Some(found) if found.sha256 != end.sha256 => {
                let (saw, found) = (end.sha256, found.sha256);
                self.find(end.seq, Problem::NotWhatTheCheckpointSaw { checkpoint, saw, found });
            }
            _ => {}
        }
        Ok(())
    }

    async fn head(&mut self, traces: &Traces) -> Result<(), StoreError> {
        let name = names::head(self.user);
        let Some(head) = self.evidence::<Head>(Container::State, &name).await? else { return Ok(()) };
        if self.is_cut(head.seq, traces).await? {
            self.report_cut(head.seq, traces, format!("{}/{name}", Container::State));
        }
        Ok(())
    }

    /// Whether the trail ends before this entry. Reads the entry again, because it may have been committed after the
    /// listing was made.
    async fn is_cut(&self, seq: u32, traces: &Traces) -> Result<bool, StoreError> {
        if seq <= traces.entries.last().copied().unwrap_or(0) {
            return Ok(false);
        }
        match audit::read(self.blobs, self.user, seq).await {
            Ok(found) => Ok(found.is_none()),
            Err(AuditError::Store(StoreError::TooLarge { .. })) => Ok(false),
            Err(AuditError::Store(error)) => Err(error),
            Err(_) => Ok(false),
        }
    }

    fn report_cut(&mut self, seq: u32, traces: &Traces, evidence: String) {
        match traces.entries.last() {
            Some(end) => self.find(seq, Problem::TailCut { trail_ends_at: *end, evidence }),
            None => {
                // One piece of evidence is enough to report a missing user.
                let is_missing = |f: &Finding| matches!(f.problem, Problem::PersonMissing { .. });
                if !self.report.findings.iter().any(is_missing) {
                    self.find(None, Problem::PersonMissing { evidence });
                }
            }
        }
    }

    /// Reads a head or a receipt. One that cannot be read is a finding; one that no longer exists is not.
    async fn evidence<C: contract::Contract>(
        &mut self,
        container: Container,
        name: &str,
    ) -> Result<Option<C>, StoreError> {
        let why = match self.blobs.get(container, name, MAX_CONTRACT_BYTES as u64).await {
            Ok(None) => return Ok(None),
            Ok(Some(bytes)) => match contract::parse(&bytes) {
                Ok(document) => return Ok(Some(document)),
                Err(error) => error.to_string(),
            },
            Err(error @ StoreError::TooLarge { .. }) => error.to_string(),
            Err(error) => return Err(error),
        };
        self.find(None, Problem::EvidenceUnreadable { blob: format!("{container}/{name}"), why });
        Ok(None)
    }
}

/// The name, digest and length of every blob that an entry names.
fn named_blobs(entry: &AuditEntry) -> Vec<(String, Digest, u64)> {
    let Some(photo) = &entry.photo else { return Vec::new() };
    let mut blobs = vec![(names::photo(entry.user_id, photo.sha256), photo.sha256, photo.bytes)];
    blobs.extend(entry.renditions.iter().map(|rendition| {
        let name = names::rendition(entry.user_id, photo.sha256, &rendition.name, rendition.sha256);
        (name, rendition.sha256, rendition.bytes)
    }));
    blobs
}
