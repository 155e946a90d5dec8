//! LIST: a consistent page of a collection, written in pieces.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use bytes::{BufMut, Bytes, BytesMut};
use coracle_api::continue_token::Token;
use coracle_api::{ApiError, ApiResult};
use coracle_store::Record;
use futures::stream;
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::list_options::ListOptions;
use super::version::Freshness;
use super::{Selection, View, scope};
use crate::convert;
use crate::http::{COMPRESS_ABOVE_BYTES, Compressible, Format, streamed};
use crate::hub::{Call, Hub};

/// Answers up to this size are made whole, with a length; larger ones are written in pieces of this size, so that
/// a list of 10,000 pods is never one string.
const PIECE_BYTES: usize = 64 * 1024;

/// One page: its objects, and what its `metadata` says.
pub(crate) struct Page {
    pub(crate) records: Vec<Arc<Record>>,
    metadata: Map<String, Value>,
}

impl Page {
    /// Of objects that are not stored: all there are, at no revision.
    pub(crate) fn made(records: Vec<Arc<Record>>) -> Self {
        Self { records, metadata: Map::new() }
    }
}

/// Answers with a list.
pub(crate) async fn list(hub: &Hub, call: &Call) -> ApiResult<Response<Body>> {
    let page = page(hub, call).await?;
    respond(hub, call, page).await
}

/// The page that a request asks for, its objects as they are stored.
pub(crate) async fn page(hub: &Hub, call: &Call) -> ApiResult<Page> {
    let options = ListOptions::parse(&call.params, false)?;
    let selection = Selection::new(&call.target, &options)?;
    let scope = scope(&call.target);
    let (snapshot, place) = if options.token.is_empty() {
        (Freshness::of_list(&options)?.list(hub, &scope).await?, None)
    } else {
        let token = Token::decode(&options.token)?;
        if !matches!(options.version.as_str(), "" | "0") {
            return Err(ApiError::bad_request("specifying resource version is not allowed when using continue"));
        }
        let snapshot = match token.revision() {
            None => hub.store.list(&scope),
            Some(revision) => hub.store.list_at(&scope, revision).map_err(|_| token.expired())?,
        };
        (snapshot, Some(token))
    };
    let place = place.as_ref().map(Token::place);
    let rest: Box<dyn Iterator<Item = Arc<Record>> + Send> = match place {
        Some((namespace, name)) => Box::new(snapshot.iter_after(namespace, name).cloned()),
        None => Box::new(snapshot.iter().cloned()),
    };
    if selection.reads_objects() {
        let read = convert::present(hub, &call.target.resource, rest.collect()).await?;
        return Ok(cut(snapshot.revision, read.into_iter(), &selection, options.limit));
    }
    Ok(cut(snapshot.revision, rest, &selection, options.limit))
}

/// Takes the objects of one page out of the collection, or of what is left of it.
fn cut(revision: u64, rest: impl Iterator<Item = Arc<Record>>, selection: &Selection, limit: Option<usize>) -> Page {
    let mut matching = rest.filter(|r| selection.matches(r));
    let records: Vec<Arc<Record>> = match limit {
        Some(limit) => matching.by_ref().take(limit).collect(),
        None => matching.by_ref().collect(),
    };
    let mut metadata = Map::new();
    metadata.insert("resourceVersion".into(), json!(revision.to_string()));
    if let Some(last) = records.last().filter(|_| limit.is_some() && matching.next().is_some()) {
        let token = Token::after(&last.key.namespace, &last.key.name, revision);
        metadata.insert("continue".into(), json!(token.encode()));
        if selection.is_everything() {
            // The one that was looked at above, and the ones behind it.
            metadata.insert("remainingItemCount".into(), json!(matching.count() + 1));
        }
    }
    Page { records, metadata }
}

/// Answers with a page in the view that the client wants.
pub(crate) async fn respond(hub: &Hub, call: &Call, mut page: Page) -> ApiResult<Response<Body>> {
    let view = View::of_list(&call.target.resource, call.accept, &call.params)?;
    page.records = convert::present(hub, &call.target.resource, page.records).await?;
    let (api_version, kind) = view.type_of_list();
    let metadata = Value::Object(page.metadata);
    let columns = match &view {
        View::Table(table) => format!("\"columnDefinitions\":{},\"rows\":[", table.columns()),
        _ => "\"items\":[".to_string(),
    };
    let head = format!("{{\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\",\"metadata\":{metadata},{columns}");
    let stored_bytes: usize = page.records.iter().map(|r| r.json.len() + 1).sum();
    let whole = stored_bytes <= PIECE_BYTES || call.accept.format != Format::Json || call.pretty();
    if whole {
        let mut json = BytesMut::with_capacity(head.len() + stored_bytes + 8);
        json.put_slice(head.as_bytes());
        for (index, record) in page.records.iter().enumerate() {
            put_item(&mut json, &view, record, index == 0)?;
        }
        json.put_slice(b"]}\n");
        return Ok(call.respond(StatusCode::OK, json.freeze(), &[]));
    }
    let mut response = streamed(pieces(Bytes::from(head), view, page.records));
    if stored_bytes > COMPRESS_ABOVE_BYTES {
        response.extensions_mut().insert(Compressible);
    }
    Ok(response)
}

fn put_item(json: &mut BytesMut, view: &View, record: &Record, first: bool) -> ApiResult<()> {
    if !first {
        json.put_u8(b',');
    }
    if view.is_stored() {
        json.put_slice(&record.json);
    } else {
        json.put_slice(&view.item(record)?);
    }
    Ok(())
}

/// The list in pieces of about [`PIECE_BYTES`], made as the client reads them.
fn pieces(
    head: Bytes,
    view: View,
    records: Vec<Arc<Record>>,
) -> impl futures::Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
    let start = (head, view, records.into_iter(), true, false);
    stream::unfold(start, async |(head, view, mut rest, mut first, done)| {
        if done {
            return None;
        }
        let mut json = BytesMut::with_capacity(PIECE_BYTES + PIECE_BYTES / 4);
        json.put_slice(&head);
        while json.len() < PIECE_BYTES {
            let Some(record) = rest.next() else {
                json.put_slice(b"]}\n");
                return Some((Ok(json.freeze()), (Bytes::new(), view, rest, first, true)));
            };
            let before = json.len();
            if let Err(error) = put_item(&mut json, &view, &record, first) {
                // The status line is long gone; leaving one object out beats cutting the answer off.
                tracing::error!(key = %record.key, %error, "an object is missing from a list");
                json.truncate(before);
                continue;
            }
            first = false;
        }
        Some((Ok(json.freeze()), (Bytes::new(), view, rest, first, false)))
    })
}
