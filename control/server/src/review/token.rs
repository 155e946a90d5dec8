//! `TokenReview`: whose token is this?

use coracle_api::{ApiError, ApiResult};
use serde_json::{Value, json};

use super::text;
use crate::hub::Hub;
use crate::identity::believe;
use crate::write::Notes;

pub(super) async fn status(hub: &Hub, spec: &Value, notes: &Notes) -> ApiResult<Value> {
    let token = text(spec, "token");
    if token.is_empty() {
        return Err(ApiError::bad_request("token is required for TokenReview in authentication"));
    }
    let named: Vec<String> =
        spec["audiences"].as_array().into_iter().flatten().filter_map(|a| a.as_str().map(str::to_string)).collect();
    let audiences = if named.is_empty() { vec![hub.issuer.audience().to_string()] } else { named };
    Ok(match believe(hub, token, &audiences, notes).await {
        Ok((user, audiences)) => json!({ "authenticated": true, "user": user.info(), "audiences": audiences }),
        Err(error) => json!({ "user": {}, "error": error }),
    })
}
