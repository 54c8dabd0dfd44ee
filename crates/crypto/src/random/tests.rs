use craton_base::random::bytes;

use super::SystemRandom;

#[test]
fn two_draws_differ_and_no_byte_stays_put() {
    let draws: Vec<[u8; 64]> = (0..16).map(|_| bytes(&SystemRandom).unwrap()).collect();
    for at in 0..64 {
        assert!(
            draws.iter().any(|d| d[at] != draws[0][at]),
            "byte {at} is the same in 16 draws"
        );
    }
}
