//! Client and credentials against the simulator, which was written from the documentation and knows no client.

use std::sync::Arc;

use graph_sim::{NoPhoto, Sim, SimConfig};
use photorelay::graph::{CachedTokens, FetchedPhoto, Graph, GraphConfig, PhotoState, Priority, TokenSource, scope};
use photorelay_core::entra::{CredentialConfig, credential};
use photorelay_core::id::UserId;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

fn certificate(sim: &Sim) -> CredentialConfig {
    CredentialConfig::ClientCertificate {
        tenant_id: sim.tenant_id().to_string(),
        client_id: sim.client_id().to_string(),
        pem: include_str!("fixtures/certificate-and-key.pem").into(),
    }
}

fn secret(sim: &Sim) -> CredentialConfig {
    CredentialConfig::ClientSecret {
        tenant_id: sim.tenant_id().to_string(),
        client_id: sim.client_id().to_string(),
        secret: sim.client_secret().into(),
    }
}

fn graph(sim: &Sim, config: CredentialConfig) -> Graph {
    let base_url = Url::parse(&sim.graph_url()).unwrap();
    let authority = Url::parse(&sim.authority_url()).unwrap();
    let tokens = CachedTokens::new(
        Box::new(move || credential(&config, &authority)),
        scope(&base_url),
        TaskTracker::new(),
        CancellationToken::new(),
    );
    Graph::new(GraphConfig::new(base_url), Arc::new(tokens) as Arc<dyn TokenSource>).unwrap()
}

fn ids(sim: &Sim) -> Vec<UserId> {
    sim.tenant().user_ids().into_iter().map(UserId::from_uuid).collect()
}

#[tokio::test]
async fn people_and_photos_are_read_without_a_violation() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let graph = graph(&sim, certificate(&sim));
    let users = ids(&sim);
    let person = users[0];

    for (user, state) in graph.photo_states(&users, Priority::Low).await.unwrap() {
        let alone = graph.photo_state(user).await.unwrap();
        assert!(matches!(alone, PhotoState::Present { .. }));
        assert_eq!(state.unwrap(), alone);
    }
    let FetchedPhoto::Photo { bytes, .. } = graph.photo(person).await.unwrap() else { panic!("there is a photo") };
    assert_eq!(Some(bytes), sim.tenant().photo(sim.tenant().user_ids()[0]));

    let people = graph.users(&users, Priority::Normal).await.unwrap();
    let known = sim.tenant().users();
    for (user, found) in people {
        let found = found.unwrap().expect("everybody exists");
        let known = known.iter().find(|known| UserId::from_uuid(known.id) == user).unwrap();
        assert_eq!(found.anchor, known.on_premises_immutable_id);
        assert_eq!(found.sid, known.on_premises_security_identifier);
        assert_eq!(found.sam_account_name, known.on_premises_sam_account_name);
        assert_eq!(graph.find_user(&known.user_principal_name).await.unwrap(), Some(user));
    }

    assert!(graph.list_subscriptions().await.unwrap().is_empty());
    sim.assert_no_violations();
}

#[tokio::test]
async fn no_photo_and_nobody_are_understood_in_each_of_the_simulators_shapes() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let graph = graph(&sim, secret(&sim));
    let users = ids(&sim);
    for (id, shape) in sim.tenant().user_ids().into_iter().zip(NoPhoto::ALL) {
        sim.tenant().remove_photo_as(id, shape).unwrap();
        let user = UserId::from_uuid(id);
        let states = graph.photo_states(&[user], Priority::Normal).await.unwrap();
        assert!(matches!(&states[0].1, Ok(PhotoState::Absent { .. })), "{shape:?}: {states:?}");
        assert!(matches!(graph.photo(user).await, Ok(FetchedPhoto::Absent { .. })), "{shape:?}");
    }
    let gone = *sim.tenant().user_ids().last().unwrap();
    sim.tenant().delete_user(gone, true).unwrap();
    let people = graph.users(&users, Priority::Normal).await.unwrap();
    let missing: Vec<_> = people.iter().filter(|(_, person)| matches!(person, Ok(None))).map(|(id, _)| *id).collect();
    assert_eq!(missing, [UserId::from_uuid(gone)]);
    sim.assert_no_violations();
}

#[tokio::test]
async fn revoked_tokens_are_replaced_once_for_all_who_were_refused() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let graph = graph(&sim, secret(&sim));
    let users = ids(&sim);
    graph.photo_state(users[0]).await.unwrap();
    let before = sim.tokens_issued();
    sim.revoke_tokens();
    let states = futures::future::join_all(users.iter().map(|user| graph.photo_state(*user))).await;
    assert!(states.iter().all(|state| matches!(state, Ok(PhotoState::Present { .. }))), "{states:?}");
    assert_eq!(sim.tokens_issued(), before + 1);
}
