//! A door makes its own permit.
use craton_gate::ReadPermit;

fn door(permit: craton_gate::WritePermit) -> ReadPermit {
    ReadPermit {
        permit: permit.permit,
    }
}

fn main() {}
