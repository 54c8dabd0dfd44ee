//! A door writes with a permit to read.
async fn write(permit: craton_gate::ReadPermit) {
    let _ = permit.commit(craton_gate::Changes::new()).await;
}

fn main() {}
