//! Approvals: a contact sheet of what waits for an operator, before and after side by side, and what the operator decides.
//!
//! What is decided is what was shown: an item carries the entry and the value that the operator saw, and one that has
//! changed since is left alone.

mod filter;
mod item;
mod sheet;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use photorelay_core::approvals::{ApprovalChoice, Approvals};
use photorelay_core::contract::Verdict;
use photorelay_core::operator::OperatorSignature;

use self::filter::SheetFilter;
use self::item::{HeldView, ItemKey};
use self::sheet::{HeldCount, Sheet};
use super::everything::{DecidingStage, EverythingDecided};
use super::query::PageQuery;
use super::render::{Frame, MenuEntry, Moment, PageError, PageResult, count, count_of, done, page as render};
use super::security::FormFields;
use super::state::ConsoleState;

#[derive(Template)]
#[template(path = "approvals.html")]
struct ApprovalsPage {
    frame: Frame,
    filter: SheetFilter,
    targets: Vec<String>,
    items: Vec<HeldView>,
    /// How much waits, as far as that was counted.
    waiting: String,
    deciding: Option<String>,
    decided: Option<Arc<EverythingDecided>>,
    next: Option<String>,
    may_act: bool,
}

pub(super) async fn page(
    State(console): State<Arc<ConsoleState>>,
    PageQuery(filter): PageQuery<SheetFilter>,
) -> PageResult {
    let sheet = Sheet::read(&console, &filter).await?;
    let mut frame = Frame::of(&console, MenuEntry::Approvals, "Approvals");
    let targets = console.targets.all().iter().map(|target| target.name.clone()).collect();
    let next = sheet.next.map(|next| filter.path(Some(next)));
    let may_act = console.operator.is_some();
    let (mut deciding, mut decided) = (None, None);
    match console.everything.stage() {
        DecidingStage::NeverAsked => {}
        DecidingStage::Runs { verdict, since, decided: so_far } => {
            frame.reloads = true;
            let (so_far, ago) = (count(so_far.load(Ordering::Relaxed)), Moment(since).ago());
            deciding = Some(format!("Everything is being {}: {so_far} so far, begun {ago}.", participle(verdict)));
        }
        DecidingStage::Done(outcome) => decided = Some(outcome),
    }
    let (items, waiting) = (sheet.items, in_words(sheet.waiting));
    render(&ApprovalsPage { frame, filter, targets, items, waiting, deciding, decided, next, may_act })
}

fn in_words(held: HeldCount) -> String {
    match held {
        HeldCount::Undecided(items) => format!("{} held", count(items)),
        HeldCount::Users(users) => {
            format!("{} with something held, decided or not", count_of(users, "person", "people"))
        }
        HeldCount::UsersOrMore(users) => {
            format!("{} or more people with something held, decided or not", count(users))
        }
    }
}

fn participle(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Approved => "approved",
        Verdict::Rejected => "rejected",
    }
}

impl EverythingDecided {
    fn verdict_in_words(&self) -> &'static str {
        participle(self.verdict)
    }

    fn count(&self) -> String {
        count(self.decided)
    }

    fn ago(&self) -> String {
        Moment(self.at).ago()
    }

    /// That some approvals reach the agents later.
    fn unannounced(&self) -> Option<String> {
        (self.unannounced > 0).then(|| not_announced(self.unannounced))
    }
}

/// Where to return to: a page of approvals, and nothing that a header cannot hold.
fn place_of(form: &FormFields) -> Result<String, PageError> {
    match form.get("back").unwrap_or("/approvals") {
        back if (back == "/approvals" || back.starts_with("/approvals?"))
            && back.bytes().all(|b| b.is_ascii_graphic()) =>
        {
            Ok(back.to_owned())
        }
        _ => Err(PageError::Malformed("The form returns to no page of approvals.".to_owned())),
    }
}

/// Approves or rejects one item, the chosen ones, or everything.
pub(super) async fn decide(State(console): State<Arc<ConsoleState>>, form: FormFields) -> Result<Response, PageError> {
    let signature = console.signature(form.get("why")).map_err(PageError::Refused)?.ok_or(PageError::ReadOnly)?;
    let back = place_of(&form)?;
    // A button beside an item means this item alone.
    let (verdict, items): (&str, Vec<&str>) = match form.get("one").and_then(|one| one.split_once(' ')) {
        Some((verdict, item)) => (verdict, vec![item]),
        None => (form.get("verdict").unwrap_or_default(), form.all("item").collect()),
    };
    let (verdict, everything) = match verdict {
        "approve" => (Verdict::Approved, false),
        "reject" => (Verdict::Rejected, false),
        "approve-all" => (Verdict::Approved, true),
        "reject-all" => (Verdict::Rejected, true),
        "nothing" => {
            return Ok(done(&console, &back, Err("Enter decides nothing: use one of the buttons.".to_owned())));
        }
        _ => return Err(PageError::Refused("The form says neither approve nor reject.".to_owned())),
    };
    if everything {
        let target = form.get("target").map(str::to_owned);
        return Ok(done(&console, &back, decide_all(&console, target, verdict, signature)));
    }
    let chosen: Option<Vec<ItemKey>> = items.into_iter().map(ItemKey::parse).collect();
    let chosen = chosen.ok_or_else(|| PageError::Refused("The form names something that is no item.".to_owned()))?;
    if chosen.is_empty() {
        return Ok(done(&console, &back, Err("Nothing was chosen: choose photos first.".to_owned())));
    }
    let asked = chosen.len();
    let decided = decide_some(&console, chosen, verdict, signature).await?;
    Ok(done(&console, &back, decided.and_then(|decided| said(verdict, asked, decided))))
}

/// What became of the items that an operator chose.
fn said(verdict: Verdict, asked: usize, decided: DecidedCount) -> Result<String, String> {
    let DecidedCount { items, unannounced, failure } = decided;
    let done = match verdict {
        Verdict::Approved => "approved; agents write them now",
        Verdict::Rejected => "rejected; the present values stay",
    };
    let others = match (asked - items, failure) {
        (0, _) => String::new(),
        (others, None) => format!(" {others} had changed meanwhile and were left alone."),
        (others, Some(reason)) => {
            let announced =
                if unannounced > 0 { format!(" {}", not_announced(unannounced as u64)) } else { String::new() };
            return Err(format!("{items} {done}. {others} could not be decided: {reason}.{announced}"));
        }
    };
    match unannounced {
        0 => Ok(format!("{items} {done}.{others}")),
        // All of these are approvals.
        number => Err(format!("{items} approved.{others} {}", not_announced(number as u64))),
    }
}

fn not_announced(number: u64) -> String {
    let approvals = count_of(number, "approval could", "approvals could");
    format!("{approvals} not be announced to the agents, and are applied by the next full reconciliation.")
}

/// What was decided.
#[derive(Debug, Default)]
struct DecidedCount {
    items: usize,
    unannounced: usize,
    /// Why the rest was not decided.
    failure: Option<String>,
}

/// What was decided, or why not all could be.
async fn decide_some(
    console: &ConsoleState,
    chosen: Vec<ItemKey>,
    verdict: Verdict,
    signature: OperatorSignature,
) -> anyhow::Result<Result<DecidedCount, String>> {
    let mut by_target: BTreeMap<String, Vec<ApprovalChoice>> = BTreeMap::new();
    for ItemKey { target, user, seq, value } in chosen {
        by_target.entry(target).or_default().push(ApprovalChoice { user, seq, value });
    }
    let work: Vec<(Approvals, Vec<ApprovalChoice>)> =
        by_target.into_iter().filter_map(|(target, some)| Some((approvals(console, &target)?, some))).collect();
    let decided = console.workshop.run(async move || {
        let mut decided = DecidedCount::default();
        for (approvals, some) in work {
            let failed = match approvals.decide_some(&some, verdict, &signature).await {
                Ok(some) => {
                    decided.items += some.items.len();
                    decided.unannounced += some.log_unannounced();
                    some.failed.map(|(_, error)| error)
                }
                Err(error) => Some(error),
            };
            match failed {
                Some(error) if decided.items == 0 => return Err(error),
                Some(error) => {
                    decided.failure = Some(error.to_string());
                    break;
                }
                None => {}
            }
        }
        tracing::info!(decided = decided.items, ?verdict, "decided at the console");
        Ok::<_, photorelay_core::approvals::ApprovalError>(decided)
    });
    Ok(decided.await?.map_err(|error| error.to_string()))
}

/// In the background: there may be as many as there are users.
fn decide_all(
    console: &ConsoleState,
    target: Option<String>,
    verdict: Verdict,
    signature: OperatorSignature,
) -> Result<String, String> {
    let all = console.targets.all().iter().map(|target| target.name.clone());
    let work: Vec<Approvals> = all
        .filter(|name| target.as_ref().is_none_or(|target| target == name))
        .filter_map(|name| approvals(console, &name))
        .collect();
    match console.everything.start(work, verdict, signature) {
        true => Ok("This goes on when the page is closed, and is stopped by the end of the console.".to_owned()),
        false => Err("Everything is being decided already: wait for its end.".to_owned()),
    }
}

fn approvals(console: &ConsoleState, target: &str) -> Option<Approvals> {
    let target = console.targets.by_name(target)?;
    Some(Approvals::new(console.storage.clone(), target.name.clone(), target.queue.clone()))
}
