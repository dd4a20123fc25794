//! `photoUpdateSettings`, below `/beta`, and what they do to uploads. Roles in tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use graph_sim::{SimConfig, SimPhotoSettings, SimPhotoSource, roles};
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{Bench, bench, members, picture, sample};

async fn asked(bench: &Bench, method: Method, body: Option<Value>) -> (u16, Value) {
    let url = format!("{}/beta/admin/people/photoupdatesettings", bench.sim.url());
    let request = bench.http.request(method, url).bearer_auth(&bench.token);
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn the_settings_are_read_and_changed_with_their_own_roles() {
    let mut config = SimConfig::default();
    config.app.roles = vec![roles::USER_READ.into(), roles::PEOPLE_SETTINGS_READ.into()];
    let bench = bench(config).await;
    let (status, unset) = asked(&bench, Method::GET, None).await;
    assert_eq!((status, &unset["source"]), (200, &Value::Null));
    assert_eq!(members(&unset), members(&sample("photo_update_settings")));
    assert_eq!(asked(&bench, Method::PATCH, Some(json!({ "source": "cloud" }))).await.0, 403);
    bench
        .sim
        .set_photo_update_settings(SimPhotoSettings { source: Some(SimPhotoSource::OnPremises), ..Default::default() });
    assert_eq!(asked(&bench, Method::GET, None).await.1["source"], "onPremises");
    bench.end().await;
}

#[tokio::test]
async fn a_role_to_change_them_takes_only_known_values() {
    let mut config = SimConfig::default();
    config.app.roles = vec![roles::PEOPLE_SETTINGS_WRITE.into()];
    let bench = bench(config).await;
    let (status, changed) = asked(&bench, Method::PATCH, Some(json!({ "source": "cloud" }))).await;
    assert_eq!((status, &changed["source"]), (200, &json!("cloud")));
    assert_eq!(asked(&bench, Method::PATCH, Some(json!({ "source": "nowhere" }))).await.0, 400);
    assert_eq!(bench.sim.violations().len(), 1);
}

#[tokio::test]
async fn without_a_role_for_them_they_are_refused() {
    let bench = bench(SimConfig::default()).await;
    assert_eq!(asked(&bench, Method::GET, None).await.0, 403);
    bench.end().await;
}

#[tokio::test]
async fn photos_from_on_premises_are_not_changed_in_the_cloud() {
    let bench = bench(SimConfig::default()).await;
    bench
        .sim
        .set_photo_update_settings(SimPhotoSettings { source: Some(SimPhotoSource::OnPremises), ..Default::default() });
    let url = format!("{}/users/{}/photo/$value", bench.sim.graph_url(), bench.first_user());
    let put = bench.http.put(url).bearer_auth(&bench.people_token).header("Content-Type", "image/jpeg");
    assert_eq!(put.body(picture(100, 100, 3)).send().await.unwrap().status(), 403);
    bench.end().await;
}

#[tokio::test]
async fn a_token_contains_its_roles() {
    let bench = bench(SimConfig::default()).await;
    let claims = URL_SAFE_NO_PAD.decode(bench.token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["roles"], json!(bench.sim.config().app.roles));
    assert_eq!(claims["tid"], json!(bench.sim.tenant_id()));
    bench.end().await;
}
