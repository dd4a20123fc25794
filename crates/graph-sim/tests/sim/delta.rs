//! `GET /users/delta`.

use std::collections::BTreeSet;
use std::time::Duration;

use graph_sim::SimConfig;
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{Bench, bench};

const FIRST: &str = "/users/delta?$select=id,userType";

/// The items of a round, and the link to the next one.
struct Round {
    items: Vec<Value>,
    pages: usize,
    link: String,
}

impl Round {
    fn ids(&self) -> Vec<&str> {
        self.items.iter().map(|item| item["id"].as_str().unwrap()).collect()
    }
}

async fn round(bench: &Bench, link: &str) -> Round {
    let (mut items, mut pages, mut link) = (Vec::new(), 0, link.to_owned());
    loop {
        let page = bench.get_json(&below(bench, &link)).await;
        pages += 1;
        items.extend(page["value"].as_array().unwrap().iter().cloned());
        match (page["@odata.nextLink"].as_str(), page["@odata.deltaLink"].as_str()) {
            (Some(next), None) => link = next.to_owned(),
            (None, Some(last)) => return Round { items, pages, link: last.to_owned() },
            _ => panic!("a page has just one link: {page}"),
        }
    }
}

fn below(bench: &Bench, link: &str) -> String {
    link.strip_prefix(&bench.sim.graph_url()).unwrap_or(link).to_owned()
}

#[tokio::test]
async fn the_first_round_shows_everyone_once_and_the_next_one_no_one() {
    let bench = bench(SimConfig { users: 47, ..SimConfig::default() }).await;
    bench.sim.set(|settings| settings.delta_page = 10);
    let first = round(&bench, FIRST).await;
    let unique: BTreeSet<_> = first.ids().into_iter().collect();
    assert_eq!((first.items.len(), unique.len(), first.pages), (47, 47, 5));
    assert_eq!(first.items[0].as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "userType"]);
    assert_eq!(round(&bench, &first.link).await.items.len(), 0);
    bench.end().await;
}

#[tokio::test]
async fn people_who_were_added_changed_or_removed_show_up_with_the_reason() {
    let bench = bench(SimConfig { users: 5, ..SimConfig::default() }).await;
    let tenant = bench.sim.tenant();
    let ids = tenant.user_ids();
    let first = round(&bench, FIRST).await;
    tenant.edit_user(ids[0], |user| user.user_type = "Guest".into()).unwrap();
    tenant.delete_user(ids[1], false).unwrap();
    tenant.delete_user(ids[2], true).unwrap();
    let came = tenant.add_user();

    let second = round(&bench, &first.link).await;
    let of = |id: uuid::Uuid| second.items.iter().find(|item| item["id"] == id.to_string()).unwrap();
    assert_eq!(second.items.len(), 4);
    assert_eq!(of(ids[0])["userType"], "Guest");
    assert_eq!(of(ids[1])["@removed"]["reason"], "changed");
    assert_eq!(of(ids[2])["@removed"]["reason"], "deleted");
    assert_eq!(of(came)["userType"], "Member");

    tenant.restore_user(ids[1]).unwrap();
    tenant.restore_user(ids[2]).unwrap_err();
    let third = round(&bench, &second.link).await;
    assert_eq!(third.ids(), [ids[1].to_string()]);
    assert_eq!(third.items[0]["userType"], "Member", "a restored person looks new");
    bench.end().await;
}

#[tokio::test]
async fn changes_of_other_properties_and_of_photos_do_not_surface() {
    let bench = bench(SimConfig { users: 3, ..SimConfig::default() }).await;
    let tenant = bench.sim.tenant();
    let first = round(&bench, FIRST).await;
    tenant.touch(bench.first_user()).unwrap();
    tenant.change_photo(bench.first_user()).unwrap();
    assert_eq!(round(&bench, &first.link).await.items.len(), 0);
    bench.sim.set(|settings| settings.delta_shows_photo_changes = true);
    assert_eq!(round(&bench, &first.link).await.items.len(), 1);
    bench.end().await;
}

#[tokio::test]
async fn what_happens_during_a_round_is_in_it_or_in_the_next_one() {
    let bench = bench(SimConfig { users: 4, ..SimConfig::default() }).await;
    bench.sim.set(|settings| settings.delta_page = 2);
    let page = bench.get_json(FIRST).await;
    let gone = bench.first_user();
    bench.sim.tenant().delete_user(gone, false).unwrap();
    let rest = round(&bench, page["@odata.nextLink"].as_str().unwrap()).await;
    let next = round(&bench, &rest.link).await;
    assert_eq!(next.ids(), [gone.to_string()]);
    bench.end().await;
}

#[tokio::test]
async fn latest_gives_a_link_and_no_people() {
    let bench = bench(SimConfig { users: 3, ..SimConfig::default() }).await;
    let latest = round(&bench, "/users/delta?$deltatoken=latest").await;
    assert_eq!(latest.items.len(), 0);
    let came = bench.sim.tenant().add_user();
    assert_eq!(round(&bench, &latest.link).await.ids(), [came.to_string()]);
    bench.end().await;
}

#[tokio::test]
async fn a_link_of_eight_days_has_expired_and_so_has_every_link_of_an_older_generation() {
    let bench = bench(SimConfig { users: 3, ..SimConfig::default() }).await;
    for expire in [false, true] {
        let first = round(&bench, FIRST).await;
        if expire {
            bench.sim.advance(Duration::from_secs(8 * 24 * 3600));
        } else {
            bench.sim.set(|settings| settings.delta_generation += 1);
        }
        // The caller's own token has expired too.
        let token = fresh_token(&bench).await;
        let answer = bench.http.get(&first.link).bearer_auth(&token).send().await.unwrap();
        assert_eq!(answer.status(), 410);
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        assert!(location.ends_with("deltatoken="), "{location}");
        let restarted: Value = bench.http.get(location).bearer_auth(&token).send().await.unwrap().json().await.unwrap();
        assert_eq!(restarted["value"].as_array().unwrap().len(), 3);
    }
    bench.end().await;
}

async fn fresh_token(bench: &Bench) -> String {
    let url = format!("{}/{}/oauth2/v2.0/token", bench.sim.authority_url(), bench.sim.tenant_id());
    let client = bench.sim.client_id().to_string();
    let secret = bench.sim.client_secret();
    let form = [
        ("client_id", client.as_str()),
        ("client_secret", &secret),
        ("scope", "https://graph.microsoft.com/.default"),
        ("grant_type", "client_credentials"),
    ];
    let answer: Value = bench.http.post(url).form(&form).send().await.unwrap().json().await.unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn replays_and_empty_pages_come_as_often_as_the_settings_say() {
    let bench = bench(SimConfig { users: 30, ..SimConfig::default() }).await;
    bench.sim.set(|settings| {
        settings.delta_page = 5;
        settings.delta_replays = 0.5;
        settings.delta_empty_pages = 0.6;
    });
    let first = round(&bench, FIRST).await;
    let unique: BTreeSet<_> = first.ids().into_iter().collect();
    assert_eq!(unique.len(), 30);
    assert!(first.items.len() > 30 && first.pages > 6, "{} items, {} pages", first.items.len(), first.pages);
    assert!(!round(&bench, &first.link).await.items.is_empty(), "an unchanged person is listed again");
    bench.end().await;
}

#[tokio::test]
async fn unknown_options_and_changed_links_are_refused() {
    let bench = bench(SimConfig::default()).await;
    let link = below(&bench, &round(&bench, FIRST).await.link);
    let cases = [
        "/users/delta?$top=5".to_owned(),
        "/users/delta?$expand=photo".to_owned(),
        "/users/delta?$select=id,photo".to_owned(),
        "/users/delta?$deltatoken=made-up".to_owned(),
        format!("{link}&$select=id"),
    ];
    for (at, path) in cases.iter().enumerate() {
        bench.json(400, Method::GET, path, None).await;
        assert_eq!(bench.sim.violations().len(), at + 1, "{path}");
    }
}

#[tokio::test]
async fn the_function_may_be_called_with_parentheses_and_with_its_namespace() {
    let bench = bench(SimConfig::default()).await;
    for path in ["delta()", "delta%28%29", "microsoft.graph.delta()", "microsoft.graph.delta"] {
        let body = bench.get_json(&format!("/users/{path}?$select=id")).await;
        assert_eq!(body["value"].as_array().unwrap().len(), 20);
        let link = body["@odata.deltaLink"].as_str().unwrap();
        let next = bench.http.get(link).bearer_auth(&bench.token).send().await.unwrap();
        assert_eq!(next.json::<Value>().await.unwrap()["value"], json!([]));
    }
    assert_eq!(bench.sim.requests().count("GET /v1.0/users/delta"), 8);
    bench.json(400, Method::GET, "/users/delta(1)", None).await;
    assert_eq!(bench.sim.violations().len(), 1);
}
