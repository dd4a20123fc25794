//! Photos: sizes, ETags, re-encoding, removal and every shape of "no photo".

use graph_sim::{NoPhoto, SimConfig};
use reqwest::Method;
use serde_json::Value;

use crate::helpers::{Bench, bench, dimensions, members, picture, sample};

async fn meta(bench: &Bench, id: uuid::Uuid) -> Value {
    bench.get_json(&format!("/users/{id}/photo")).await
}

#[tokio::test]
async fn metadata_and_bytes_agree_and_have_the_documented_shape() {
    let bench = bench(SimConfig::default()).await;
    let id = bench.first_user();
    let body = meta(&bench, id).await;
    assert_eq!(members(&body), members(&sample("photo")));
    let etag = body["@odata.mediaEtag"].as_str().unwrap();
    assert!(etag.len() == 10 && etag.starts_with('"') && etag.ends_with('"'), "{etag}");

    let response = bench.get(&format!("/users/{id}/photo/$value")).await;
    assert_eq!(response.headers()["content-type"], "image/jpeg");
    let header = response.headers()["etag"].to_str().unwrap().to_owned();
    assert!(header.starts_with("W/\"") && header.len() == 68, "{header}");
    let bytes = response.bytes().await.unwrap();
    assert_eq!(dimensions(&bytes), (648, 648));
    assert_eq!((body["width"].as_u64(), body["id"].as_str()), (Some(648), Some("648x648")));
    assert_eq!(bench.sim.tenant().photo(id).unwrap(), bytes);
    bench.end().await;
}

#[tokio::test]
async fn sizes_go_up_to_the_uploaded_one() {
    let bench = bench(SimConfig::default()).await;
    let id = bench.first_user();
    bench.sim.tenant().set_photo(id, &picture(510, 600, 9)).unwrap();
    assert_eq!(meta(&bench, id).await["id"], "504x504");
    let all = bench.get_json(&format!("/users/{id}/photos")).await;
    let ids: Vec<_> = all["value"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["48x48", "64x64", "96x96", "120x120", "240x240", "360x360", "432x432", "504x504"]);
    let small = bench.get(&format!("/users/{id}/photos/96X96/$value")).await.bytes().await.unwrap();
    assert_eq!(dimensions(&small), (96, 96));
    assert_eq!(bench.get_json(&format!("/users/{id}/photos/48x48")).await["width"], 48);
    assert_eq!(bench.get(&format!("/users/{id}/photos/648x648/$value")).await.status(), 404);
    bench.sim.assert_no_violations();
    assert_eq!(bench.get(&format!("/users/{id}/photos/100x100")).await.status(), 400);
    assert_eq!(bench.sim.violations().len(), 1);
}

#[tokio::test]
async fn an_upload_is_re_encoded_and_identical_uploads_get_new_etags() {
    let bench = bench(SimConfig::default()).await;
    let id = bench.first_user();
    let upload = picture(648, 648, 77);
    let put = || {
        let url = format!("{}/users/{id}/photo/$value", bench.sim.graph_url());
        let request = bench.http.put(url).bearer_auth(&bench.people_token).header("Content-Type", "image/jpeg");
        request.body(upload.clone()).send()
    };
    assert_eq!(put().await.unwrap().status(), 200);
    let first = (meta(&bench, id).await["@odata.mediaEtag"].clone(), bench.sim.tenant().photo(id).unwrap());
    assert_ne!(first.1, upload);
    assert_eq!(put().await.unwrap().status(), 200);
    let second = (meta(&bench, id).await["@odata.mediaEtag"].clone(), bench.sim.tenant().photo(id).unwrap());
    assert_ne!(first.0, second.0);
    assert_eq!(first.1, second.1);

    bench.sim.set(|settings| settings.reencode_noise = true);
    assert_eq!(put().await.unwrap().status(), 200);
    let noisy = bench.sim.tenant().photo(id).unwrap();
    assert_ne!(noisy, first.1);
    bench.end().await;
}

#[tokio::test]
async fn etags_come_back_with_the_bytes_when_the_settings_say_so() {
    let bench = bench(SimConfig::default()).await;
    bench.sim.set(|settings| settings.etags_return = true);
    let (id, tenant) = (bench.first_user(), bench.sim.tenant());
    let mut etags = Vec::new();
    for red in [1, 2, 1] {
        tenant.set_photo(id, &picture(96, 96, red)).unwrap();
        etags.push(meta(&bench, id).await["@odata.mediaEtag"].clone());
    }
    assert_eq!(etags[0], etags[2]);
    assert_ne!(etags[0], etags[1]);
    bench.end().await;
}

#[tokio::test]
async fn if_none_match_is_ignored_unless_it_is_enabled() {
    let bench = bench(SimConfig::default()).await;
    let path = format!("/users/{}/photo/$value", bench.first_user());
    let etag = bench.get(&path).await.headers()["etag"].clone();
    let again = || bench.request(Method::GET, &path).header("If-None-Match", etag.clone()).send();
    assert_eq!(again().await.unwrap().status(), 200);
    bench.sim.set(|settings| settings.honour_if_none_match = true);
    assert_eq!(again().await.unwrap().status(), 304);
    bench.end().await;
}

#[tokio::test]
async fn raw_photos_are_served_untouched() {
    let bench = bench(SimConfig::default()).await;
    let id = bench.first_user();
    bench.sim.tenant().set_raw_photo(id, &b"<html>no picture</html>"[..], "image/png").unwrap();
    let response = bench.get(&format!("/users/{id}/photo/$value")).await;
    assert_eq!(response.headers()["content-type"], "image/png");
    assert_eq!(response.bytes().await.unwrap(), &b"<html>no picture</html>"[..]);
    assert_eq!(meta(&bench, id).await["@odata.mediaContentType"], "image/png");
    bench.end().await;
}

#[tokio::test]
async fn every_shape_of_no_photo_is_answered() {
    let bench = bench(SimConfig::default()).await;
    let id = bench.first_user();
    for shape in NoPhoto::ALL {
        bench.sim.tenant().remove_photo_as(id, shape).unwrap();
        let metadata = bench.get(&format!("/users/{id}/photo")).await;
        let value = bench.get(&format!("/users/{id}/photo/$value")).await;
        let expected = match shape {
            NoPhoto::OneByOne => (200, 404),
            NoPhoto::EmptyBody => (200, 200),
            _ => (404, 404),
        };
        assert_eq!((metadata.status().as_u16(), value.status().as_u16()), expected, "{shape:?}");
        let body: Value = metadata.json().await.unwrap();
        if expected.0 == 200 {
            assert!(members(&body).is_superset(&members(&sample("no_photo"))));
            assert_eq!((body["id"].as_str(), body["@odata.mediaEtag"].as_str()), (Some("1x1"), Some("")));
        } else {
            assert!(body["error"]["code"].is_string());
        }
        if shape == NoPhoto::EmptyBody {
            assert!(value.bytes().await.unwrap().is_empty());
        }
        assert_eq!(bench.sim.tenant().photo(id), None);
    }
    bench.end().await;
}

#[tokio::test]
async fn without_a_fixed_shape_people_differ_in_the_shape_of_no_photo() {
    let mut config = SimConfig { with_photo: 0.0, users: 60, ..SimConfig::default() };
    config.settings.no_photo = None;
    let bench = bench(config).await;
    let mut codes = std::collections::BTreeSet::new();
    for id in bench.sim.tenant().user_ids() {
        let response = bench.get(&format!("/users/{id}/photo")).await;
        let body: Value = response.json().await.unwrap();
        codes.insert(body["error"]["code"].as_str().unwrap_or("1x1").to_owned());
    }
    assert!(codes.len() >= 5, "{codes:?}");
    bench.end().await;
}

#[tokio::test]
async fn writing_needs_the_permission_the_type_the_size_and_a_picture() {
    let bench = bench(SimConfig::default()).await;
    let id = bench.first_user();
    let url = format!("{}/users/{id}/photo/$value", bench.sim.graph_url());
    let put = |token: &str, kind: &str, body: Vec<u8>| {
        bench.http.put(&url).bearer_auth(token).header("Content-Type", kind).body(body).send()
    };
    let before = bench.sim.tenant().photo(id);
    let good = picture(96, 96, 1);
    assert_eq!(put(&bench.token, "image/jpeg", good.clone()).await.unwrap().status(), 403);
    bench.sim.assert_no_violations();
    assert_eq!(put(&bench.people_token, "image/png", good).await.unwrap().status(), 415);
    assert_eq!(put(&bench.people_token, "image/jpeg", b"no picture".to_vec()).await.unwrap().status(), 400);
    assert_eq!(put(&bench.people_token, "image/jpeg", vec![0; (4 << 20) + 1]).await.unwrap().status(), 413);
    assert_eq!(bench.sim.violations().len(), 3);
    assert_eq!(bench.sim.tenant().photo(id), before);
}

#[tokio::test]
async fn a_deleted_photo_is_not_found_and_the_history_is_complete() {
    let bench = bench(SimConfig::default()).await;
    let (id, tenant) = (bench.first_user(), bench.sim.tenant());
    tenant.change_photo(id).unwrap();
    let value = format!("/users/{id}/photo/$value");
    let shown = bench.get(&value).await.bytes().await.unwrap();
    let url = format!("{}{value}", bench.sim.graph_url());
    assert_eq!(bench.http.delete(url).bearer_auth(&bench.people_token).send().await.unwrap().status(), 200);
    assert_eq!(bench.get(&value).await.status(), 404);
    let history = tenant.history(id);
    let photos: Vec<_> = history.iter().map(|one| (one.is_photo(), one.fetched)).collect();
    assert_eq!(photos, [(true, 0), (true, 1), (false, 0)]);
    assert_eq!(history[1].bytes().unwrap(), shown);
    assert_ne!(history[0].sha256(), history[1].sha256());
    bench.end().await;
}

#[tokio::test]
async fn no_two_people_and_no_two_changes_look_alike() {
    let bench = bench(SimConfig { users: 30, ..SimConfig::default() }).await;
    let tenant = bench.sim.tenant();
    let mut seen = std::collections::BTreeSet::new();
    for id in tenant.user_ids() {
        seen.insert(tenant.shown(id).unwrap().sha256().unwrap());
        tenant.change_photo(id).unwrap();
        seen.insert(tenant.shown(id).unwrap().sha256().unwrap());
    }
    assert_eq!(seen.len(), 60);
    bench.end().await;
}

#[tokio::test]
async fn two_hundred_thousand_changes_cost_next_to_nothing_until_they_are_read() {
    let bench = bench(SimConfig { users: 200, ..SimConfig::default() }).await;
    let tenant = bench.sim.tenant();
    for _ in 0..1000 {
        for id in tenant.user_ids() {
            tenant.change_photo(id).unwrap();
        }
    }
    assert_eq!(tenant.history(bench.first_user()).len(), 1001);
    bench.end().await;
}

#[tokio::test]
async fn a_thousand_new_photos_are_read_without_decoding_each() {
    let bench = bench(SimConfig { users: 10, ..SimConfig::default() }).await;
    let tenant = bench.sim.tenant();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        for id in tenant.user_ids() {
            tenant.change_photo(id).unwrap();
            seen.insert(bench.get(&format!("/users/{id}/photo/$value")).await.bytes().await.unwrap());
        }
    }
    assert_eq!(seen.len(), 1000);
    bench.end().await;
}
