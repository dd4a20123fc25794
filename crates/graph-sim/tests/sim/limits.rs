//! Throttling by resource units and by mailbox.

use std::time::Duration;

use graph_sim::SimConfig;
use reqwest::{Method, Response};
use serde_json::json;

use crate::helpers::{Bench, bench};

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
}

const SHARE: &str = "x-ms-throttle-limit-percentage";

async fn list(bench: &Bench, query: &str) -> Response {
    bench.get(&format!("/users{query}")).await
}

#[tokio::test]
async fn directory_calls_cost_units_and_are_refused_beyond_them_until_the_window_ends() {
    let bench = bench(SimConfig::default()).await;
    bench.sim.set(|settings| settings.resource_units = Some(10));
    // Four times two units are not reported, the tenth unit is.
    for _ in 0..4 {
        assert_eq!(header(&list(&bench, "").await, SHARE), None);
    }
    let last = list(&bench, "").await;
    assert_eq!((last.status().as_u16(), header(&last, SHARE).as_deref()), (200, Some("1.00")));
    let refused = list(&bench, "?$select=id").await;
    assert_eq!((refused.status().as_u16(), header(&refused, SHARE).as_deref()), (429, Some("1.10")));
    let app = bench.sim.client_id();
    let scope = format!("Tenant_Application/Read/{app}/{}", bench.sim.tenant_id());
    assert_eq!(header(&refused, "x-ms-throttle-scope"), Some(scope));
    assert_eq!(header(&refused, "x-ms-throttle-information").as_deref(), Some("ResourceUnitLimitExceeded"));
    let wait: u64 = header(&refused, "retry-after").unwrap().parse().unwrap();
    assert!((1..=10).contains(&wait));
    // Photos are not the directory's, and another app has units of its own.
    assert_eq!(bench.get(&format!("/users/{}/photo", bench.first_user())).await.status(), 200);
    let url = format!("{}/users", bench.sim.graph_url());
    assert_eq!(bench.http.get(url).bearer_auth(&bench.people_token).send().await.unwrap().status(), 200);

    bench.sim.advance(Duration::from_secs(10));
    assert_eq!(list(&bench, "").await.status(), 200);
    bench.end().await;
}

#[tokio::test]
async fn calls_of_low_priority_are_refused_first_and_items_of_a_batch_count() {
    let bench = bench(SimConfig::default()).await;
    bench.sim.set(|settings| settings.resource_units = Some(20));
    let user = bench.first_user();
    let items = |priority: &str| {
        let item = |id: u32| {
            json!({"id": id.to_string(), "method": "GET", "url": format!("/users/{user}"),
                   "headers": {"x-ms-throttle-priority": priority}})
        };
        Some(json!({"requests": (0..19).map(item).collect::<Vec<_>>()}))
    };
    let statuses = async |priority| {
        let answer = bench.json(200, Method::POST, "/$batch", items(priority)).await;
        let statuses = answer["responses"].as_array().unwrap().iter().map(|item| item["status"].as_u64().unwrap());
        let mut statuses: Vec<u64> = statuses.collect();
        statuses.sort_unstable();
        statuses
    };
    assert_eq!(statuses("Low").await, [vec![200; 18], vec![429]].concat());
    bench.sim.advance(Duration::from_secs(10));
    assert_eq!(statuses("Normal").await, vec![200; 19]);
    bench.end().await;
}

#[tokio::test]
async fn one_mailbox_has_a_limit_within_ten_minutes() {
    let bench = bench(SimConfig::default()).await;
    bench.sim.set(|settings| settings.mailbox_requests = 2);
    let ids = bench.sim.tenant().user_ids();
    let photo = async |at: usize| bench.get(&format!("/users/{}/photo", ids[at])).await.status().as_u16();
    assert_eq!([photo(0).await, photo(0).await, photo(0).await, photo(1).await], [200, 200, 429, 200]);
    bench.sim.advance(Duration::from_secs(600));
    assert_eq!(photo(0).await, 200);
    bench.end().await;
}

#[tokio::test]
async fn groups_list_nested_members_to_callers_with_the_role() {
    let config = SimConfig::default();
    let roles = vec!["User.Read.All".to_owned(), graph_sim::roles::GROUP_MEMBERS_READ.to_owned()];
    let app = graph_sim::SimApp { roles, ..config.app.clone() };
    let bench = bench(SimConfig { app, ..config }).await;
    let tenant = bench.sim.tenant();
    let ids = tenant.user_ids();
    let inner = tenant.add_group(&ids[2..4]);
    let outer = tenant.add_group(&[ids[0], inner]);
    tenant.set_group(inner, &[ids[2], ids[3], outer]);
    let mut path = format!("/groups/{outer}/transitiveMembers?$select=id&$top=2");
    let mut members = Vec::new();
    loop {
        let page = bench.get_json(&path).await;
        members
            .extend(page["value"].as_array().unwrap().iter().map(|member| member["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["@odata.nextLink"].as_str() else { break };
        path = next.strip_prefix(&bench.sim.graph_url()).unwrap().to_owned();
    }
    members.sort();
    let mut expected = [ids[0], ids[2], ids[3], inner, outer].map(|id| id.to_string()).to_vec();
    expected.sort();
    assert_eq!(members, expected);
    let is_in = async |user: usize| {
        let body = Some(json!({"groupIds": [outer, inner]}));
        let path = format!("/users/{}/checkMemberGroups", ids[user]);
        bench.json(200, Method::POST, &path, body).await["value"].as_array().unwrap().len()
    };
    assert_eq!((is_in(0).await, is_in(1).await, is_in(2).await), (2, 0, 2));
    bench.end().await;

    let bench = crate::helpers::bench(SimConfig::default()).await;
    let group = bench.sim.tenant().add_group(&[]);
    assert_eq!(bench.get(&format!("/groups/{group}/transitiveMembers")).await.status(), 403);
    bench.end().await;
}
