//! `GET /users` and `GET /users/{id}`.

use std::collections::BTreeSet;

use graph_sim::{Sim, SimConfig};
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{bench, members, sample};

#[tokio::test]
async fn default_projection_has_no_on_premises_property() {
    let bench = bench(SimConfig::default()).await;
    let body = bench.get_json(&format!("/users/{}", bench.first_user())).await;
    assert_eq!(members(&body), members(&sample("user")));
    bench.end().await;
}

#[tokio::test]
async fn select_gives_exactly_what_was_asked_for() {
    let bench = bench(SimConfig { guests: 1, cloud_only: 1, ..SimConfig::default() }).await;
    let names =
        "id,onPremisesSyncEnabled,onPremisesImmutableId,onPremisesSamAccountName,onPremisesSecurityIdentifier,userType";
    for user in bench.sim.tenant().users() {
        let mut body = bench.get_json(&format!("/users/{}?$select={names}", user.id)).await;
        body.as_object_mut().unwrap().remove("@odata.context");
        let expected = json!({
            "id": user.id, "onPremisesSyncEnabled": user.on_premises_sync_enabled,
            "onPremisesImmutableId": user.on_premises_immutable_id,
            "onPremisesSamAccountName": user.on_premises_sam_account_name,
            "onPremisesSecurityIdentifier": user.on_premises_security_identifier, "userType": user.user_type,
        });
        assert_eq!(body, expected);
        let body = bench.get_json(&format!("/users/{}?$select=employeeId,mail", user.id)).await;
        assert_eq!((&body["employeeId"], &body["mail"]), (&json!(user.employee_id), &json!(user.mail)));
        assert_eq!(user.on_premises_immutable_id.is_some(), user.on_premises_sync_enabled == Some(true));
    }
    bench.end().await;
}

#[tokio::test]
async fn a_principal_name_with_an_apostrophe_finds_its_user() {
    let bench = bench(SimConfig::default()).await;
    let users = bench.sim.tenant().users();
    let user = users.iter().find(|user| user.user_principal_name.contains('\'')).unwrap();
    let key = user.user_principal_name.replace('\'', "%27");
    assert_eq!(bench.get_json(&format!("/users/{key}?$select=id")).await["id"], json!(user.id));
    bench.end().await;
}

#[tokio::test]
async fn a_key_in_parentheses_is_the_same_as_a_key_of_its_own() {
    let bench = bench(SimConfig::default()).await;
    let users = bench.sim.tenant().users();
    let user = users.iter().find(|user| user.user_principal_name.contains('\'')).unwrap();
    let id = user.id;
    let photo = bench.get_json(&format!("/users/{id}/photo")).await;
    let quoted = user.user_principal_name.replace('\'', "''");
    for key in [id.to_string(), quoted.clone(), quoted.replace('\'', "%27")] {
        assert_eq!(bench.get_json(&format!("/users('{key}')?$select=id")).await["id"], json!(id));
        assert_eq!(bench.get_json(&format!("/users%28%27{key}%27%29/photo")).await, photo);
        let smallest = bench.get_json(&format!("/users('{key}')/photos('48x48')")).await;
        assert_eq!(smallest["id"], "48x48");
        let bytes = bench.get(&format!("/users('{key}')/photos('48x48')/$value")).await;
        assert_eq!(bytes.headers()["content-type"], "image/jpeg");
    }
    // A key is a key, even if a function has the same name.
    assert_eq!(
        bench.json(404, Method::GET, "/users('delta')", None).await["error"]["code"],
        "Request_ResourceNotFound"
    );
    let unknown = bench.json(404, Method::GET, "/subscriptions('33333333-3333-4333-8333-333333333333')", None).await;
    assert_eq!(unknown["error"]["code"], "ResourceNotFound");
    assert_eq!(bench.sim.requests().count("GET /v1.0/users/{id}/photo"), 4);
    bench.end().await;
}

#[tokio::test]
async fn what_graph_has_and_the_simulator_has_not_is_answered_by_a_sentence_that_says_so() {
    let bench = bench(SimConfig::default()).await;
    let cases = [
        (
            "/users?$filter=userType%20eq%20'Member'",
            "a $filter of another form than startsWith(property,'text') or ...",
        ),
        ("/users?$count=true", "the query option '$count' of /v1.0/users"),
        ("/users?$orderby=displayName", "the query option '$orderby' of /v1.0/users"),
        ("/users/delta?$filter=id%20eq%20'x'", "the query option '$filter' of /v1.0/users/delta"),
        ("/users/$count", "/v1.0/users/$count"),
        ("/groups/g/transitiveMembers/$count", "/v1.0/groups/{id}/transitiveMembers/$count"),
    ];
    for (at, (path, what)) in cases.into_iter().enumerate() {
        let body = bench.json(501, Method::GET, path, None).await;
        assert_eq!(body["error"]["code"], "NotSupportedBySimulator");
        let sentence = format!("Microsoft Graph has {what}; graph-sim, which answered this call, does not support it.");
        assert_eq!(body["error"]["message"], sentence);
        assert_eq!(bench.sim.violations().len(), at + 1, "{path}");
    }
}

#[tokio::test]
async fn pages_show_everyone_exactly_once() {
    let bench = bench(SimConfig { users: 47, ..SimConfig::default() }).await;
    let gone = bench.sim.tenant().user_ids()[3];
    bench.sim.tenant().delete_user(gone, false).unwrap();
    let mut link = Some(format!("{}/users?$select=id&$top=10", bench.sim.graph_url()));
    let (mut seen, mut pages) = (Vec::new(), 0);
    while let Some(url) = link {
        let body: Value = bench.http.get(url).bearer_auth(&bench.token).send().await.unwrap().json().await.unwrap();
        seen.extend(body["value"].as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap().to_owned()));
        link = body["@odata.nextLink"].as_str().map(str::to_owned);
        pages += 1;
    }
    let unique: BTreeSet<_> = seen.iter().cloned().collect();
    assert_eq!((seen.len(), unique.len(), pages), (46, 46, 5));
    bench.end().await;
}

#[tokio::test]
async fn the_same_seed_makes_the_same_people_and_another_seed_others() {
    let ids = async |seed| {
        let sim = Sim::start(SimConfig { seed, ..SimConfig::default() }).await.unwrap();
        (sim.tenant().users(), sim.tenant().photo(sim.tenant().user_ids()[1]))
    };
    assert_eq!(ids(7).await, ids(7).await);
    assert_ne!(ids(7).await.0, ids(8).await.0);
}

#[tokio::test]
async fn calls_that_a_correct_client_never_makes_are_refused_and_recorded() {
    let bench = bench(SimConfig::default()).await;
    let id = bench.first_user();
    let cases = [
        (Method::GET, format!("/users/{id}?$select=id,shoeSize"), 400),
        (Method::GET, format!("/users/{id}?$expand=photo"), 400),
        (Method::GET, "/users?$top=0".into(), 400),
        (Method::GET, "/users?$top=1000".into(), 400),
        (Method::GET, format!("/users/{id}/picture"), 400),
        (Method::GET, format!("/users//{id}"), 400),
        (Method::PUT, format!("/users/{id}"), 405),
    ];
    for (at, (method, path, status)) in cases.into_iter().enumerate() {
        let body = bench.json(status, method, &path, None).await;
        assert!(body["error"]["innerError"]["request-id"].is_string(), "{body}");
        assert_eq!(bench.sim.violations().len(), at + 1, "{path}");
    }
}

#[tokio::test]
async fn an_unknown_user_is_not_found_and_no_violation() {
    let bench = bench(SimConfig::default()).await;
    let body = bench.json(404, Method::GET, "/users/33333333-3333-4333-8333-333333333333", None).await;
    assert_eq!(body["error"]["code"], "Request_ResourceNotFound");
    bench.end().await;
}

#[tokio::test]
async fn every_answer_carries_the_ids_of_the_request() {
    let bench = bench(SimConfig::default()).await;
    let response = bench.request(Method::GET, "/users").header("client-request-id", "abc").send().await.unwrap();
    let headers = response.headers();
    assert_eq!(headers["client-request-id"], "abc");
    assert_eq!(headers["odata-version"], "4.0");
    assert!(headers.contains_key("request-id") && headers.contains_key("x-ms-ags-diagnostic"));
    bench.end().await;
}

#[tokio::test]
async fn a_hundred_thousand_people_start_at_once() {
    let bench = bench(SimConfig { users: 100_000, ..SimConfig::default() }).await;
    let last = *bench.sim.tenant().user_ids().last().unwrap();
    assert_eq!(bench.get(&format!("/users/{last}/photo")).await.status(), 200);
    bench.end().await;
}
