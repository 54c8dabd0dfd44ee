//! A door says who is asking.
fn forged(user: std::sync::Arc<craton_gate::directory::Identity>) -> craton_gate::Session {
    craton_gate::Session { inner: user }
}

fn main() {}
