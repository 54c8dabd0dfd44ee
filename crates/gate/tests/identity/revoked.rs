//! Ending a session under load: many threads ask with its credentials, as fast as they can, while it is ended. From the
//! return of the call on, nothing that begins is admitted, whichever way it was ended.
//!
//! Over HTTP, and with the rate: `cargo xtask bench gate`, the rows named *revoke*.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    time::{Duration, Instant},
};

use craton_gate::{Gate, Holder, HolderKind, Issued, NewAccessKey};

use crate::{
    folder::origin,
    world::{ANA, DATA, World, allow, may, request, with_key},
};

/// Threads that ask.
const ASKERS: usize = 4;

/// The longest that requests are waited for.
const WAIT: Duration = Duration::from_secs(30);

/// What those who ask go by and count.
#[derive(Default)]
struct Asked {
    /// The call that ends the session has returned.
    over: AtomicBool,
    stop: AtomicBool,
    /// Requests that were admitted, and that were refused.
    admitted: AtomicU64,
    refused: AtomicU64,
    /// Requests that were admitted though they began after the return.
    late: AtomicU64,
}

impl Asked {
    /// Sends one signed request after the other.
    async fn ask(&self, gate: &Gate, issued: &Issued) {
        let head = request(&issued.access_key_id, &issued.secret, Some(&issued.token));
        while !self.stop.load(SeqCst) {
            let began_after = self.over.load(SeqCst);
            let admitted = match gate.identify(&head, origin()) {
                Ok(admitted) => may(gate, &admitted.session, "s3:GetObject", "a").await,
                Err(_) => false,
            };
            let count = if admitted { &self.admitted } else { &self.refused };
            count.fetch_add(1, SeqCst);
            if admitted && began_after {
                self.late.fetch_add(1, SeqCst);
            }
        }
    }

    /// Waits until so many more were counted; whether they were.
    fn wait(&self, count: &AtomicU64, more: u64) -> bool {
        let enough = count.load(SeqCst) + more;
        let deadline = Instant::now() + WAIT;
        while count.load(SeqCst) < enough && self.late.load(SeqCst) == 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        count.load(SeqCst) >= enough
    }
}

/// Ends those who ask when it goes, also when what goes on meanwhile fails: the test waits for them.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// The ways to end a session.
#[derive(Clone, Copy, Debug)]
enum Way {
    Session,
    SessionsOfRole,
    KeyOff,
    KeyDeleted,
    Role,
    User,
}

async fn end(world: &World, way: Way, key: &NewAccessKey, issued: &Issued) {
    let (gate, root) = (&world.gate, &world.root);
    let done = match way {
        Way::Session => gate.revoke_session(root, &issued.access_key_id).await,
        Way::SessionsOfRole => gate.revoke_sessions_of(root, HolderKind::Role, "reader").await,
        Way::KeyOff => gate.set_access_key(root, "ana", &key.id, false).await,
        Way::KeyDeleted => gate.delete_access_key(root, "ana", &key.id).await,
        Way::Role => {
            let role = Holder::new(HolderKind::Role, "reader");
            gate.delete_entity(root, &role, true).await
        }
        Way::User => {
            let user = Holder::new(HolderKind::User, "ana");
            gate.delete_entity(root, &user, true).await
        }
    };
    done.unwrap();
}

#[test]
fn from_the_return_on_nothing_is_admitted() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for way in [
        Way::Session,
        Way::SessionsOfRole,
        Way::KeyOff,
        Way::KeyDeleted,
        Way::Role,
        Way::User,
    ] {
        let (world, key, issued) = runtime.block_on(async {
            let world = World::new(&format!("revoked-{way:?}")).await;
            let key = world.user("ana", "").await;
            let arn = world.role("reader", ANA, &allow("s3:GetObject", DATA)).await;
            let ana = with_key(&world.gate, &key).unwrap();
            let issued = world.assume(&ana, &arn, |_| {}).await.unwrap();
            (world, key, issued)
        });
        let asked = Asked::default();
        let answered = std::thread::scope(|scope| {
            let _stop = Stop(&asked.stop);
            for _ in 0..ASKERS {
                scope.spawn(|| runtime.block_on(asked.ask(&world.gate, &issued)));
            }
            let admitted = asked.wait(&asked.admitted, 500);
            runtime.block_on(end(&world, way, &key, &issued));
            asked.over.store(true, SeqCst);
            let refused = asked.wait(&asked.refused, 2_000);
            admitted && refused
        });
        assert_eq!(asked.late.load(SeqCst), 0, "{way:?}");
        assert!(answered, "{way:?}: too few were admitted before or refused after");
    }
}
