use cnn_runtime::prelude::*;

const UNITS: usize = 10;

model! {
    pub Net {
        i = Input(28);
        x = Dense(UNITS, kernel_constraint=MaxNorm(3, axis=0), bias_constraint=UnitNorm(axis=1))(i);
    }
}

fn main() {}
