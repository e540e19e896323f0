//! Points to requests.
