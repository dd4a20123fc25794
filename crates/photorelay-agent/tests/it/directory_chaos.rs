//! Two agents bring 200 users of a real domain controller up to date while connections are cut, the controller is
//! killed and started again, and the agents are killed in turn. A reader watches the directory all the time.
//!
//! What happens follows from a seed, which is printed; when it happens is up to the machine.

use std::collections::HashMap;

use fastrand::Rng;
use photorelay_core::contract::FetchPolicy;
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::WRITEBACKS_QUEUE;
use testkit::chaos::{seed, small_pictures};
use testkit::process::{Program, Variables, embedded, until};
use testkit::world::{Setup, World, guid};

use crate::tcp::Relay;
use testkit::samba::{Account, Samba};

const PEOPLE: usize = 200;
/// Each changes the photos of a few users.
const ROUNDS: usize = 60;
const CHANGES_A_ROUND: usize = 10;

/// What goes wrong in a round, and how often in all.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Cut,
    KillAgent(usize),
    /// Out for one more round, then back.
    Restart,
}

const TROUBLES: [(Trouble, usize); 4] =
    [(Trouble::Cut, 8), (Trouble::KillAgent(0), 3), (Trouble::KillAgent(1), 3), (Trouble::Restart, 2)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_directory_ends_with_the_newest_photos_and_never_shows_an_older_one_after_a_newer() {
    let seed = seed();
    println!("PHOTORELAY_TEST_SEED={seed}");
    let mut samba = Samba::own().await;
    let pictures = small_pictures();
    let photos = Some(pictures.path().to_owned());
    let sim = graph_sim::SimConfig { seed, users: PEOPLE, with_photo: 0.0, photos, ..graph_sim::SimConfig::default() };
    let world = World::with(Setup { sim, subscribe: false, ..Setup::default() }).await;
    let people = users(&world, &samba.add_many(PEOPLE).await);

    let mut reader = Reader { samba: samba.observer(), usn: 0, shown: HashMap::new(), looks: 0, changes: 0 };
    reader.watch_while(drive(&world, &mut samba, &people, seed)).await;

    let mut entries = 0;
    for (user, account) in &people {
        entries += has_converged(&world, *user, reader.shown.get(&account.guid).map_or(&[], Vec::as_slice)).await;
    }
    println!("{entries} entries; {} looks at the directory saw {} photos", reader.looks, reader.changes);
    assert!(
        entries > PEOPLE && reader.looks > ROUNDS && reader.changes > PEOPLE,
        "something has to change and be seen"
    );
    world.end().await;
}

/// The users of the simulator are synchronised from these accounts.
fn users(world: &World, accounts: &[Account]) -> Vec<(UserId, Account)> {
    let people = accounts.iter().enumerate();
    people.map(|(at, account)| (account.is(world, at, &account.anchor()), account.clone())).collect()
}

/// Changes photos and makes trouble, and ends when no write-back is left.
async fn drive(world: &World, samba: &mut Samba, people: &[(UserId, Account)], seed: u64) {
    let relay = Relay::before(&samba.address, 636).await;
    let storage: Variables = embedded(world.dir());
    let target = samba.variables(&relay.address());
    let start = || Program::agent_of(world, &storage, &target);
    let mut agents = [start(), start()];
    let mut dice = Rng::with_seed(seed);
    let troubles = TROUBLES.into_iter().flat_map(|(trouble, times)| std::iter::repeat_n(trouble, times));
    let mut troubles: Vec<(usize, Trouble)> = troubles.map(|trouble| (dice.usize(..ROUNDS), trouble)).collect();
    troubles.sort_by_key(|(round, _)| *round);
    let mut troubles = troubles.into_iter().peekable();

    for round in 0..ROUNDS {
        change(world, people, &mut dice).await;
        while let Some((_, trouble)) = troubles.next_if(|(at, _)| *at == round) {
            match trouble {
                Trouble::Cut => relay.cut(),
                Trouble::KillAgent(which) => {
                    agents[which].kill().await;
                    agents[which] = start();
                }
                Trouble::Restart => {
                    samba.stop().await;
                    change(world, people, &mut dice).await;
                    samba.start_again().await;
                }
            }
        }
        // Photos that are replaced before anybody could write them test nothing.
        agents[0].brings("a shorter queue", is_below(world, CHANGES_A_ROUND * 4)).await;
    }
    agents[0].brings("an empty queue of write-backs", is_below(world, 1)).await;
    for agent in &mut agents {
        agent.kill().await;
    }
}

/// Some users change their photos, and their changes are captured.
async fn change(world: &World, people: &[(UserId, Account)], dice: &mut Rng) {
    let changed: Vec<UserId> = (0..CHANGES_A_ROUND).map(|_| people[dice.usize(..people.len())].0).collect();
    for user in &changed {
        world.sim.tenant().change_photo(guid(*user)).unwrap();
    }
    world.check(&changed, FetchPolicy::IfChanged).await;
    world.app.pump.drain().await.unwrap();
}

async fn is_below(world: &World, messages: usize) {
    until(async || (world.storage().queues.count(WRITEBACKS_QUEUE).await.unwrap() as usize) < messages).await;
}

/// Reads the directory while it changes, and remembers what it showed of each user, in order.
struct Reader {
    samba: Samba,
    /// Everything up to this change was seen.
    usn: u64,
    /// By objectGUID.
    shown: HashMap<Vec<u8>, Vec<Digest>>,
    looks: usize,
    changes: usize,
}

impl Reader {
    /// Looks again and again until that is done, and once more.
    async fn watch_while(&mut self, done: impl Future<Output = ()>) {
        tokio::pin!(done);
        loop {
            tokio::select! {
                biased;
                () = &mut done => break,
                _ = self.look() => {}
            }
        }
        assert!(self.look().await, "what the directory ends with has to be seen");
    }

    /// False while the domain controller is down and shows nothing.
    async fn look(&mut self) -> bool {
        // Before the search, which is no snapshot: somebody who was passed over may be changed while it goes on, and
        // have a lower number than somebody it then returns.
        let Some(seen_up_to) = self.samba.committed_usn().await else { return false };
        let filter = format!("(&(objectClass=user)(uSNChanged>={}))", self.usn + 1);
        let attributes = ["objectGUID", "thumbnailPhoto"];
        let Some(changed) = self.samba.people(&filter, &attributes).await else { return false };
        self.looks += 1;
        for person in changed {
            if let Some(photo) = person.get("thumbnailPhoto") {
                self.changes += 1;
                self.shown.entry(person["objectGUID"].clone()).or_default().push(Digest::of(photo));
            }
        }
        self.usn = seen_up_to;
        true
    }
}

/// Every photo that the directory showed is one of the trail, none came after a newer one, and the last is the newest.
/// Every entry has a receipt. Returns how many entries there are.
async fn has_converged(world: &World, user: UserId, shown: &[Digest]) -> usize {
    let trail = world.trail(user).await;
    let thumbnails: Vec<Digest> = trail.iter().map(|committed| committed.entry.renditions[0].sha256).collect();
    let number = |photo: &Digest| {
        let at = thumbnails.iter().position(|thumbnail| thumbnail == photo);
        at.unwrap_or_else(|| panic!("{user}: the directory showed {photo}, which is not in the trail"))
    };
    let order: Vec<usize> = shown.iter().map(number).collect();
    assert!(order.is_sorted(), "{user}: an older photo was shown after a newer one: {order:?}");
    assert_eq!(shown.last(), thumbnails.last(), "{user}: the directory ends with the newest photo");
    for committed in &trail {
        let seq = committed.entry.seq;
        assert!(world.receipt(user, seq).await.is_some(), "{user}: entry {seq} has no receipt");
    }
    let shown_in_graph = world.sim.tenant().shown(guid(user)).and_then(|shown| shown.sha256());
    let seen = trail.last().and_then(|newest| newest.entry.seen.sha256).map(|seen| seen.to_string());
    assert_eq!(seen, shown_in_graph, "{user}: the newest entry is what Graph shows");
    trail.len()
}
