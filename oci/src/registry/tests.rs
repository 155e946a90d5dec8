//! The registry as its clients see it, by the distribution spec's endpoints.

use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use super::*;
use crate::media_type as mt;
use crate::testing::{Fixture, serve};

async fn send(request: RequestBuilder) -> Response {
    request.send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// Status and the first error's code.
async fn refusal(request: RequestBuilder) -> (u16, String) {
    let response = send(request).await;
    let status = response.status().as_u16();
    let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
    (status, body["errors"][0]["code"].as_str().unwrap_or_default().to_owned())
}

async fn json_of(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn the_base_says_which_api_this_is() {
    let fixture = Fixture::new().await;
    for path in ["/v2", "/v2/"] {
        let response = send(fixture.http.get(fixture.url(path))).await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "docker-distribution-api-version"), "registry/2.0");
    }
    assert_eq!(refusal(fixture.http.put(fixture.url("/v2/"))).await, (405, "UNSUPPORTED".into()));
    assert_eq!(refusal(fixture.http.get(fixture.url("/v2/A/tags/list"))).await, (400, "NAME_INVALID".into()));
}

#[tokio::test]
async fn chunked_uploads_resume_and_end_in_a_checked_blob() {
    let fixture = Fixture::new().await;
    let http = &fixture.http;
    let started = send(http.post(fixture.url("/v2/a/b/blobs/uploads/"))).await;
    assert_eq!((started.status().as_u16(), header(&started, "range")), (202, "0-0"));
    let upload = fixture.url(header(&started, "location"));
    assert!(upload.ends_with(header(&started, "docker-upload-uuid")));

    let chunk = |range: &str, bytes: &'static str| http.patch(&upload).header("content-range", range).body(bytes);
    let first = send(chunk("0-4", "hello")).await;
    assert_eq!((first.status().as_u16(), header(&first, "range")), (202, "0-4"));
    let early = send(chunk("7-8", "xx")).await;
    assert_eq!((early.status().as_u16(), header(&early, "range")), (416, "0-4"));
    let status = send(http.get(&upload)).await;
    assert_eq!((status.status().as_u16(), header(&status, "range")), (204, "0-4"));

    let digest = Digest::of(b"hello world");
    let put = http.put(format!("{upload}?digest={digest}")).header("content-range", "5-10");
    let done = send(put.body(" world")).await;
    assert_eq!((done.status().as_u16(), header(&done, "docker-content-digest")), (201, digest.as_str()));
    let blob = fixture.url(header(&done, "location"));
    assert_eq!(send(http.get(&blob)).await.text().await.unwrap(), "hello world");
    assert_eq!(refusal(http.get(&upload)).await, (404, "BLOB_UPLOAD_UNKNOWN".into()));
}

#[tokio::test]
async fn uploads_with_another_digest_leave_nothing() {
    let fixture = Fixture::new().await;
    let (http, digest) = (&fixture.http, Digest::of(b"right"));
    let once = fixture.url(&format!("/v2/a/blobs/uploads/?digest={digest}"));
    assert_eq!(refusal(http.post(once).body("wrong")).await, (400, "DIGEST_INVALID".into()));
    let started = send(http.post(fixture.url("/v2/a/blobs/uploads/"))).await;
    let upload = fixture.url(header(&started, "location"));
    assert_eq!(refusal(http.put(&upload).body("x")).await, (400, "DIGEST_INVALID".into()));
    let put = http.put(format!("{upload}?digest={digest}")).body("wrong");
    assert_eq!(refusal(put).await, (400, "DIGEST_INVALID".into()));
    let blob = fixture.url(&format!("/v2/a/blobs/{digest}"));
    assert_eq!(refusal(http.get(blob)).await, (404, "NAME_UNKNOWN".into()));
    assert_eq!(std::fs::read_dir(fixture.dir.path().join("registry/tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn uploads_are_bounded_and_can_be_cancelled() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { uploads: 1, blob_bytes: 4, ..Limits::default() };
    let server = serve(Registry::open(dir.path(), limits).unwrap().router()).await;
    let http = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap();
    let start = format!("http://{}/v2/a/blobs/uploads/", server.host);
    let first = send(http.post(&start)).await;
    let upload = format!("http://{}{}", server.host, header(&first, "location"));
    assert_eq!(refusal(http.post(&start)).await, (429, "TOOMANYREQUESTS".into()));
    assert_eq!(refusal(http.patch(&upload).body("12345")).await, (413, "SIZE_INVALID".into()));
    assert_eq!(send(http.delete(&upload)).await.status(), 204);
    assert_eq!(send(http.post(&start)).await.status(), 202);
}

#[tokio::test]
async fn idle_uploads_make_room() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { uploads: 1, upload_idle: std::time::Duration::ZERO, ..Limits::default() };
    let registry = Registry::open(dir.path(), limits).unwrap();
    let first = registry.inner.uploads.start("a", &registry.inner.blobs).unwrap();
    registry.inner.uploads.start("a", &registry.inner.blobs).unwrap();
    assert!(matches!(registry.inner.uploads.get("a", &first.id), Err(ApiError::BlobUploadUnknown)));
}

#[tokio::test]
async fn ranges_of_a_blob() {
    let fixture = Fixture::new().await;
    let blob = fixture.blob("a", "x", b"0123456789").await;
    let url = fixture.url(&format!("/v2/a/blobs/{}", blob["digest"].as_str().unwrap()));
    let head = send(fixture.http.head(&url)).await;
    assert_eq!((header(&head, "content-length"), header(&head, "accept-ranges")), ("10", "bytes"));
    for (range, part, content_range) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
    ] {
        let response = send(fixture.http.get(&url).header("range", range)).await;
        assert_eq!((response.status().as_u16(), header(&response, "content-range")), (206, content_range));
        assert_eq!(response.text().await.unwrap(), part);
    }
    let beyond = send(fixture.http.get(&url).header("range", "bytes=10-")).await;
    assert_eq!((beyond.status().as_u16(), header(&beyond, "content-range")), (416, "bytes */10"));
    let odd = send(fixture.http.get(&url).header("range", "lines=1-2")).await;
    assert_eq!(odd.status(), 200);
}

#[tokio::test]
async fn a_damaged_blob_does_not_arrive_as_a_whole_one() {
    let fixture = Fixture::new().await;
    let bytes = vec![5; 1 << 20];
    let blob = fixture.blob("a", "x", &bytes).await;
    let digest = Digest::of(&bytes);
    let file = fixture.dir.path().join("registry/blobs/sha256").join(digest.hex());
    std::fs::write(file, vec![6; 1 << 20]).unwrap();
    let url = fixture.url(&format!("/v2/a/blobs/{}", blob["digest"].as_str().unwrap()));
    let response = send(fixture.http.get(url)).await;
    assert!(response.bytes().await.is_err());
}

#[tokio::test]
async fn manifests_need_their_blobs_and_keep_their_type() {
    let fixture = Fixture::new().await;
    let config = fixture.blob("a", mt::WASM_CONFIG_V0, b"{}").await;
    let elsewhere = fixture.blob("b", mt::WASM, b"layer").await;
    let document = json!({ "schemaVersion": 2, "mediaType": mt::OCI_MANIFEST, "config": config,
        "layers": [elsewhere] });
    let url = fixture.url("/v2/a/manifests/v1");
    let put = |body: &Value, media_type: &str| {
        fixture.http.put(&url).header("content-type", media_type).body(body.to_string())
    };
    let missing = refusal(put(&document, mt::OCI_MANIFEST)).await;
    assert_eq!(missing, (400, "MANIFEST_BLOB_UNKNOWN".into()), "another repository's blob");

    let digest = elsewhere["digest"].as_str().unwrap();
    let mount = format!("/v2/a/blobs/uploads/?mount={digest}&from=b");
    assert_eq!(send(fixture.http.post(fixture.url(&mount))).await.status(), 201);
    let unknown = format!("/v2/a/blobs/uploads/?mount={}&from=b", Digest::of(b"?"));
    assert_eq!(send(fixture.http.post(fixture.url(&unknown))).await.status(), 202);

    let contradiction = refusal(put(&document, mt::OCI_INDEX)).await;
    assert_eq!(contradiction, (400, "MANIFEST_INVALID".into()));
    assert_eq!(refusal(put(&json!([]), mt::OCI_MANIFEST)).await, (400, "MANIFEST_INVALID".into()));
    let other = fixture.url(&format!("/v2/a/manifests/{}", Digest::of(b"?")));
    let put_other = fixture.http.put(other).body(document.to_string());
    assert_eq!(refusal(put_other).await, (400, "DIGEST_INVALID".into()));

    assert_eq!(send(put(&document, mt::OCI_MANIFEST)).await.status(), 201);
    let head = send(fixture.http.head(&url)).await;
    assert_eq!(header(&head, "content-type"), mt::OCI_MANIFEST);
    let digest = Digest::of(document.to_string().as_bytes());
    assert_eq!(header(&head, "docker-content-digest"), digest.as_str());
    let got = send(fixture.http.get(fixture.url(&format!("/v2/a/manifests/{digest}")))).await;
    assert_eq!(got.text().await.unwrap(), document.to_string());
}

#[tokio::test]
async fn deleting_takes_tags_along_and_frees_what_nobody_holds() {
    let fixture = Fixture::new().await;
    let manifest = fixture.image("a", (mt::WASM_CONFIG_V0, json!({})), (mt::WASM, b"layer")).await;
    let digest = manifest["digest"].as_str().unwrap();
    let url = |part: &str| fixture.url(&format!("/v2/a/{part}"));
    assert_eq!(send(fixture.http.delete(url(&format!("manifests/{digest}")))).await.status(), 202);
    let gone = refusal(fixture.http.get(url("manifests/latest"))).await;
    assert_eq!(gone, (404, "MANIFEST_UNKNOWN".into()));
    let blob = url(&format!("blobs/{}", Digest::of(b"layer")));
    assert_eq!(send(fixture.http.delete(&blob)).await.status(), 202);
    assert_eq!(refusal(fixture.http.delete(&blob)).await, (404, "BLOB_UNKNOWN".into()));
    let files = std::fs::read_dir(fixture.dir.path().join("registry/blobs/sha256")).unwrap();
    assert_eq!(files.count(), 1, "the configuration is still linked");
}

#[tokio::test]
async fn lists_are_sorted_and_paged() {
    let fixture = Fixture::new().await;
    let config = fixture.blob("a", mt::WASM_CONFIG_V0, b"{}").await;
    let document = json!({ "schemaVersion": 2, "mediaType": mt::OCI_MANIFEST, "config": config, "layers": [] });
    for tag in ["c", "a", "b"] {
        fixture.manifest("a", tag, &document).await;
    }
    fixture.blob("z/y", "x", b"").await;
    let get = |path: &str| send(fixture.http.get(fixture.url(path)));
    assert_eq!(json_of(get("/v2/a/tags/list").await).await, json!({"name": "a", "tags": ["a", "b", "c"]}));
    let page = get("/v2/a/tags/list?n=2").await;
    assert_eq!(header(&page, "link"), "</v2/a/tags/list?n=2&last=b>; rel=\"next\"");
    assert_eq!(json_of(page).await["tags"], json!(["a", "b"]));
    let page = get("/v2/a/tags/list?n=2&last=b").await;
    assert_eq!(
        (header(&page, "link"), json_of(get("/v2/a/tags/list?n=2&last=b").await).await["tags"].clone()),
        ("", json!(["c"]))
    );
    assert_eq!(json_of(get("/v2/_catalog").await).await, json!({"repositories": ["a", "z/y"]}));
    let bad = refusal(fixture.http.get(fixture.url("/v2/a/tags/list?n=x"))).await;
    assert_eq!(bad, (400, "PAGINATION_NUMBER_INVALID".into()));
    let none = refusal(fixture.http.get(fixture.url("/v2/none/tags/list"))).await;
    assert_eq!(none, (404, "NAME_UNKNOWN".into()));
}

#[tokio::test]
async fn referrers_are_found_by_subject_and_type() {
    let fixture = Fixture::new().await;
    let subject = fixture.image("a", (mt::WASM_CONFIG_V0, json!({})), (mt::WASM, b"layer")).await;
    let empty = fixture.blob("a", "application/vnd.oci.empty.v1+json", b"{}").await;
    let signature = json!({ "schemaVersion": 2, "mediaType": mt::OCI_MANIFEST, "config": empty,
        "artifactType": "application/vnd.example.signature", "layers": [], "subject": subject,
        "annotations": { "by": "ann" } });
    let signature = fixture.manifest("a", "signature", &signature).await;
    let url = fixture.url(&format!("/v2/a/referrers/{}", subject["digest"].as_str().unwrap()));
    let response = send(fixture.http.get(&url)).await;
    assert_eq!(header(&response, "content-type"), mt::OCI_INDEX);
    let found = json_of(response).await;
    assert_eq!(found["manifests"][0]["digest"], signature["digest"]);
    assert_eq!(found["manifests"][0]["artifactType"], "application/vnd.example.signature");
    assert_eq!(found["manifests"][0]["annotations"]["by"], "ann");
    let filtered = send(fixture.http.get(format!("{url}?artifactType=other"))).await;
    assert_eq!(header(&filtered, "oci-filters-applied"), "artifactType");
    assert_eq!(json_of(filtered).await["manifests"], json!([]));
}

#[tokio::test]
async fn the_registry_survives_reopening_and_prunes() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::open(dir.path(), Limits::default()).unwrap();
    let digest = registry.inner.blobs.put(b"orphan").unwrap();
    let linked = digest.clone();
    registry
        .inner
        .repositories
        .change("a/b", |repository| {
            repository.blobs.insert(linked);
            Ok(())
        })
        .unwrap();
    let registry = Registry::open(dir.path(), Limits::default()).unwrap();
    assert!(registry.inner.repositories.read("a/b", |repository| repository.holds(&digest)).unwrap());
    assert_eq!(registry.prune().await.unwrap(), 6);
    assert!(registry.inner.repositories.names().is_empty());
}
