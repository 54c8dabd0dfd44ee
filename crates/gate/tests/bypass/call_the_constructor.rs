//! A door calls the gate's own constructor.
fn main() {
    let _ = craton_gate::ReadPermit::new;
    let _ = craton_gate::Permit::new;
}
