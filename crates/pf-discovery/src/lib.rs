//! Finding hosts on the local network: mDNS advertise and browse.
