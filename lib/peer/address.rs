//! The addresses of this host that its peers may reach it by.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;

/// Where to listen, best first: the address that the client reached this host by, which is the third
/// word of `$SSH_CONNECTION`, then those of the other interfaces. Without ssh everybody is on this
/// machine, and so are the addresses.
pub(crate) fn addresses(ssh_connection: Option<&str>) -> Vec<IpAddr> {
    let Some(connection) = ssh_connection else {
        return vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    };
    let reached = connection.split_whitespace().nth(2).and_then(|word| word.parse::<IpAddr>().ok());
    let mut found: Vec<IpAddr> =
        reached.map(|address| address.to_canonical()).into_iter().collect();
    for address in interfaces() {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

/// The addresses of interfaces that are up, but those that mean something on one link only.
fn interfaces() -> Vec<IpAddr> {
    let all = getifaddrs().into_iter().flatten();
    let up = all.filter(|interface| {
        interface.flags.contains(InterfaceFlags::IFF_UP)
            && !interface.flags.contains(InterfaceFlags::IFF_LOOPBACK)
    });
    up.filter_map(|interface| address(&interface.address?))
        .filter(|it| !is_of_one_link(it))
        .collect()
}

fn address(socket: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = socket.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| socket.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

fn is_of_one_link(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_reached_comes_first_and_loopback_only_without_ssh() {
        let found = addresses(Some("10.1.2.3 5000 192.0.2.7 22"));
        assert_eq!(found[0], "192.0.2.7".parse::<IpAddr>().unwrap());
        assert!(found.iter().all(|address| !address.is_loopback()));
        assert!(addresses(None).iter().all(IpAddr::is_loopback));
        let mapped = addresses(Some("::1 5000 ::ffff:192.0.2.7 22"));
        assert_eq!(mapped[0], "192.0.2.7".parse::<IpAddr>().unwrap());
        assert!(addresses(Some("nonsense")).iter().all(|address| !address.is_loopback()));
    }
}
