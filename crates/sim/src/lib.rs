//! Tests only: a simulated disk and clock, reference models.
