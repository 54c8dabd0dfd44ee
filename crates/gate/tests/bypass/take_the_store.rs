//! A door takes the store out of the gate, or out of a permit.
fn from_gate(gate: &craton_gate::Gate) {
    let _ = &gate.inner.store;
}

fn from_permit(permit: &craton_gate::ReadPermit) {
    let _ = &permit.gate.store;
}

fn main() {}
