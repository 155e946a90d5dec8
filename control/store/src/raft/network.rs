//! The network of a cluster of one voter: there is nobody to talk to, and saying so is all it does. Raft
//! never asks while the membership has one node in it.

use std::future::Future;

use openraft::error::{Fatal, RPCError, RaftError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse};
use openraft::{OptionalSend, Snapshot};

use super::{Node, NodeId, TypeConfig, Vote};

/// Reaches no node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoPeers;

/// Why a node cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("this store has one voter; it knows no way to another one")]
struct NoWay;

type RpcError = RPCError<NodeId, Node, RaftError<NodeId>>;

impl RaftNetworkFactory<TypeConfig> for NoPeers {
    type Network = Self;

    async fn new_client(&mut self, _target: NodeId, _node: &Node) -> Self {
        *self
    }
}

impl RaftNetwork<TypeConfig> for NoPeers {
    async fn append_entries(
        &mut self,
        _rpc: AppendEntriesRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<NodeId>, RpcError> {
        Err(Unreachable::new(&NoWay).into())
    }

    async fn vote(&mut self, _rpc: VoteRequest<NodeId>, _option: RPCOption) -> Result<VoteResponse<NodeId>, RpcError> {
        Err(Unreachable::new(&NoWay).into())
    }

    async fn full_snapshot(
        &mut self,
        _vote: Vote,
        _snapshot: Snapshot<TypeConfig>,
        _cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<NodeId>, StreamingError<TypeConfig, Fatal<NodeId>>> {
        Err(Unreachable::new(&NoWay).into())
    }
}
