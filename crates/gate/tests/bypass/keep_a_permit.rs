//! A door copies a permit, to use it again after its record is closed.
fn twice(permit: craton_gate::WritePermit) -> (craton_gate::WritePermit, craton_gate::WritePermit) {
    (permit.clone(), permit)
}

fn main() {}
