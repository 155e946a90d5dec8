//! Names, connections, datagrams.

use wasip3::sockets::ip_name_lookup::resolve_addresses;
use wasip3::sockets::types::{IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, TcpSocket, UdpSocket};
use wasip3::spawn_local;

use crate::{Outcome, streams, streams::say};

/// Prints the addresses of a name.
pub async fn resolve(name: &str) -> Outcome {
    let addresses = resolve_addresses(name.to_owned()).await.map_err(|error| format!("{name}: {error:?}"))?;
    say(&addresses.iter().map(|address| format!("{}\n", text(address))).collect::<String>()).await
}

fn text(address: &IpAddress) -> String {
    match *address {
        IpAddress::Ipv4((a, b, c, d)) => std::net::Ipv4Addr::new(a, b, c, d).to_string(),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => std::net::Ipv6Addr::new(a, b, c, d, e, f, g, h).to_string(),
    }
}

/// The first IPv4 address of `HOST:PORT`.
async fn find(place: &str) -> Result<IpSocketAddress, String> {
    let (name, port) = place.rsplit_once(':').ok_or_else(|| format!("{place} is not HOST:PORT"))?;
    let addresses = resolve_addresses(name.to_owned()).await.map_err(|error| format!("{name}: {error:?}"))?;
    let address = addresses.into_iter().find_map(|address| match address {
        IpAddress::Ipv4(address) => Some(address),
        IpAddress::Ipv6(_) => None,
    });
    let address = address.ok_or_else(|| format!("{name} has no IPv4 address"))?;
    Ok(IpSocketAddress::Ipv4(Ipv4SocketAddress { port: number(port)?, address }))
}

fn number(port: &str) -> Result<u16, String> {
    port.parse().map_err(|_| format!("{port} is no port"))
}

fn everywhere(port: u16) -> IpSocketAddress {
    IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (0, 0, 0, 0) })
}

/// Sends `text` over a connection and prints what comes back until its end.
pub async fn dial(place: &str, text: &str) -> Outcome {
    let failed = |error| format!("{place}: {error:?}");
    let socket = TcpSocket::create(IpAddressFamily::Ipv4).map_err(failed)?;
    socket.connect(find(place).await?).await.map_err(failed)?;
    let (answer, read) = socket.receive();
    socket.send(streams::of(text)).await.map_err(failed)?;
    let answer = answer.collect().await;
    read.await.map_err(failed)?;
    say(&String::from_utf8_lossy(&answer)).await
}

/// Sends every connection back what it sends, all at the same time.
pub async fn serve(port: &str) -> Outcome {
    let failed = |error| format!("port {port}: {error:?}");
    let listener = TcpSocket::create(IpAddressFamily::Ipv4).map_err(failed)?;
    listener.bind(everywhere(number(port)?)).map_err(failed)?;
    let mut connections = listener.listen().map_err(failed)?;
    say(&format!("listening on port {port}\n")).await?;
    while let Some(connection) = connections.next().await {
        spawn_local(async move {
            let (data, _) = connection.receive();
            // A client that has gone away ends its own connection only.
            let _ = connection.send(data).await;
        });
    }
    Ok(0)
}

/// Sends `text` as a datagram and prints the one that comes back.
pub async fn datagram(place: &str, text: &str) -> Outcome {
    let failed = |error| format!("{place}: {error:?}");
    let socket = UdpSocket::create(IpAddressFamily::Ipv4).map_err(failed)?;
    socket.send(text.as_bytes().to_vec(), Some(find(place).await?)).await.map_err(failed)?;
    let (answer, _) = socket.receive().await.map_err(failed)?;
    say(&format!("{}\n", String::from_utf8_lossy(&answer))).await
}

/// Sends every datagram back.
pub async fn datagrams(port: &str) -> Outcome {
    let failed = |error| format!("port {port}: {error:?}");
    let socket = UdpSocket::create(IpAddressFamily::Ipv4).map_err(failed)?;
    socket.bind(everywhere(number(port)?)).map_err(failed)?;
    say(&format!("listening on port {port}\n")).await?;
    loop {
        let (data, from) = socket.receive().await.map_err(failed)?;
        // It may be gone again.
        let _ = socket.send(data, Some(from)).await;
    }
}
