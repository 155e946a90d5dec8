//! A `wasi:sockets` command: listens on port 7007 and sends every byte back, to many clients at once.
//!
//! WASI 0.2 has no threads, so one loop polls the listener and all connections.

use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use wasip2::sockets::tcp::TcpSocket;
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

const PORT: u16 = 7007;
/// Further clients wait in the listener's backlog.
const MAX_CONNECTIONS: usize = 256;
const CHUNK_BYTES: u64 = 16 * 1024;

struct Connection {
    // Dropped last: streams are children of their socket.
    input: InputStream,
    output: OutputStream,
    _socket: TcpSocket,
}

fn main() {
    let listener = match listen() {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("tcp-echo: cannot listen on port {PORT}: {error:?}");
            std::process::exit(1);
        }
    };
    println!("listening on port {PORT}");
    serve(&listener);
}

fn listen() -> Result<TcpSocket, ErrorCode> {
    let network = instance_network();
    let socket = create_tcp_socket(IpAddressFamily::Ipv4)?;
    let any = IpSocketAddress::Ipv4(Ipv4SocketAddress { port: PORT, address: (0, 0, 0, 0) });
    socket.start_bind(&network, any)?;
    finish(&socket, TcpSocket::finish_bind)?;
    socket.start_listen()?;
    finish(&socket, TcpSocket::finish_listen)?;
    Ok(socket)
}

fn finish(socket: &TcpSocket, step: fn(&TcpSocket) -> Result<(), ErrorCode>) -> Result<(), ErrorCode> {
    loop {
        match step(socket) {
            Err(ErrorCode::WouldBlock) => socket.subscribe().block(),
            done => return done,
        }
    }
}

fn serve(listener: &TcpSocket) {
    let mut connections: Vec<Connection> = Vec::new();
    loop {
        wait(listener, &connections);
        while connections.len() < MAX_CONNECTIONS {
            match listener.accept() {
                Ok((socket, input, output)) => connections.push(Connection { input, output, _socket: socket }),
                Err(_) => break,
            }
        }
        connections.retain(|connection| echo(connection).is_ok());
    }
}

/// Sleeps until a client arrives or one of them has sent something.
fn wait(listener: &TcpSocket, connections: &[Connection]) {
    let mut pollables: Vec<Pollable> = connections.iter().map(|c| c.input.subscribe()).collect();
    if connections.len() < MAX_CONNECTIONS {
        pollables.push(listener.subscribe());
    }
    poll(&pollables.iter().collect::<Vec<_>>());
}

/// Sends back what has arrived; an error means that the connection is over.
fn echo(connection: &Connection) -> Result<(), StreamError> {
    let bytes = connection.input.read(CHUNK_BYTES)?;
    for part in bytes.chunks(4096) {
        connection.output.blocking_write_and_flush(part)?;
    }
    Ok(())
}
