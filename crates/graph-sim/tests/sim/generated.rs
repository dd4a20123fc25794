//! A large tenant whose people are generated: it answers as any other, and keeps only whom a test changes.

use graph_sim::SimConfig;
use serde_json::json;

use crate::helpers::bench;

#[tokio::test]
async fn a_million_people_are_listed_in_the_order_of_ids() {
    let bench = bench(SimConfig { generated: 1_000_000, users: 1, ..SimConfig::default() }).await;
    bench.sim.set(|settings| settings.delta_page = 200);
    let page = bench.get_json("/users/delta?$select=id,onPremisesSyncEnabled").await;
    let ids: Vec<&str> = page["value"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
    assert!(ids.len() == 200 && ids.is_sorted_by(|a, b| a < b));
    let etags = bench.sim.tenant().media_etags(999_999, 10);
    assert_eq!(etags.len(), 2, "the last generated one, and the one who is stored");
    assert_eq!(etags[0].1, bench.sim.tenant().shown(etags[0].0).unwrap().media_etag);
    bench.end().await;
}

#[tokio::test]
async fn a_generated_person_who_changes_is_kept_and_shown_in_the_next_round() {
    let bench = bench(SimConfig { generated: 100_000, users: 0, ..SimConfig::default() }).await;
    let tenant = bench.sim.tenant();
    let page = bench.get_json("/users/delta?$select=id,jobTitle&$deltatoken=latest").await;
    let link = page["@odata.deltaLink"].as_str().unwrap();
    let people = tenant.media_etags(70_000, 3);
    let (id, etag) = people[1].clone();
    let metadata = format!("/users/{id}/photo");
    assert_eq!(bench.get_json(&metadata).await["@odata.mediaEtag"], json!(etag));

    tenant.touch(id).unwrap();
    tenant.change_photo(id).unwrap();
    tenant.delete_user(people[2].0, false).unwrap();
    let page = bench.get_json(link.strip_prefix(&bench.sim.graph_url()).unwrap()).await;
    let changed: Vec<_> = page["value"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect();
    assert_eq!(changed, [json!(id), json!(people[2].0)]);
    assert_ne!(bench.get_json(&metadata).await["@odata.mediaEtag"], json!(etag));
    assert_eq!(tenant.history(id).len(), 2);

    let name = tenant.user(people[0].0).unwrap().user_principal_name;
    let found = async |name: &str| bench.get_json(&format!("/users/{name}?$select=id")).await["id"].clone();
    assert_eq!(found(&name).await, json!(people[0].0));
    tenant.edit_user(people[0].0, |user| user.user_principal_name = "ada@contoso.test".into()).unwrap();
    assert_eq!(found("ada@contoso.test").await, json!(people[0].0));
    assert_eq!(bench.get(&format!("/users/{name}")).await.status(), 404);
    bench.end().await;
}
