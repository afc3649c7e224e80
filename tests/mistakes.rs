//! What the mistakes of `mistakes/` become when their help is followed: each builds.
//!
//! `MISTAKES=overwrite cargo test -p cnn-macros mistakes` writes this file from those pages.

#![cfg_attr(rustfmt, rustfmt_skip)]

#[path = "support/own.rs"]
mod own;

use cnn_runtime::prelude::*;
use own::MyLayer;

#[test]
fn arguments_a_missing_argument() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, kernel_size=3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_no_arguments_at_all() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(filters=32, kernel_size=3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_rate_above_1() -> Result<()> {
    let net = model! {
        i = Input(28);
        x = Dropout(0.2)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_rate_in_percent() -> Result<()> {
    let net = model! {
        i = Input(28);
        x = Dropout(0.2)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_an_argument_under_both_of_its_names() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, stride=2)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_an_activation_given_twice() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, relu)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_value_without_a_keyword_after_one_with_a_keyword() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(filters=32, kernel_size=3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_an_argument_for_a_layer_without_any() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Flatten()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_too_many_arguments() -> Result<()> {
    let net = model! {
        i = Input(4, 4, 1);
        x = UpSampling2D(2, nearest)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_noise_of_another_shape() -> Result<()> {
    let net = model! {
        i = Input(28);
        x = Dropout(0.2, (1,))(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_negative_size() -> Result<()> {
    let net = model! {
        i = Input(28);
        x = Dense(1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_size_with_a_fraction() -> Result<()> {
    let net = model! {
        i = Input(28);
        x = Dense(1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_size_in_quotes() -> Result<()> {
    let net = model! {
        i = Input(28);
        x = Dense(10)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_word_for_a_number() -> Result<()> {
    let net = model! {
        i = Input(28);
        x = Dropout(rate=0.5)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_number_for_a_switch() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, use_bias=false)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_number_for_an_activation() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, activation=linear)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_an_activation_that_is_called() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, activation=relu)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_number_for_a_regularizer() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 3);
        x = Conv2D(8, 3, kernel_regularizer=L2(0.001))(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_regularizer_with_an_argument_it_does_not_have() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 3);
        x = Conv2D(8, 3, kernel_regularizer=L2(l2=0.1))(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_an_initializer_with_too_many_numbers() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 3);
        x = Conv2D(8, 3, bias_initializer=Constant(0.1))(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_negative_standard_deviation() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 3);
        x = Conv2D(8, 3, kernel_initializer=RandomNormal(stddev=0))(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_division_by_zero() -> Result<()> {
    let net = model! {
        i = Input(28);
        x = Dense(10 / 1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_two_wrong_values_in_one_call() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, use_bias=false)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_wrong_name_and_a_wrong_value_in_one_call() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 1, stride=2)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_tensor_in_the_first_parentheses() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_tensor_in_the_only_parentheses() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Flatten()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_missing_value() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_missing_comma() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_comma_too_many() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_layer_frozen_by_a_number() -> Result<()> {
    let net = model! {
        i = Input(28);
        x = Dense(10, frozen=true)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_factor_out_of_bounds() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = RandomContrast(factor=0.2)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_two_broken_rules_in_one_call() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 3);
        x = Conv2D(1, 3, stride=1, dilation_rate=1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn arguments_a_broken_rule_that_follows_from_another_is_not_reported() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 4);
        x = Conv2D(1, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_mistake_inside_a_block() -> Result<()> {
    model! {
        block residual(filters, stride = 1)(x) {
            y = Conv2D(filters, 3, stride=stride, same)(x);
            if stride > 1 {
                x = Conv2D(filters, 1, stride=stride)(x);
            }
            ReLU()(y + x)
        }
        Net {
            i = Input(8, 8, 4);
            x = i;
            x = Conv2D(8, 1)(x);
            x = residual(8)(x);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_missing_parameter() -> Result<()> {
    model! {
        block residual(filters, stride = 1)(x) {
            y = Conv2D(filters, 3, stride=stride, same)(x);
            if stride > 1 {
                x = Conv2D(filters, 1, stride=stride)(x);
            }
            ReLU()(y + x)
        }
        Net {
            i = Input(8, 8, 4);
            x = residual(filters=4)(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_parameter_too_many() -> Result<()> {
    model! {
        block residual(filters, stride = 1)(x) {
            y = Conv2D(filters, 3, stride=stride, same)(x);
            if stride > 1 {
                x = Conv2D(filters, 1, stride=stride)(x);
            }
            ReLU()(y + x)
        }
        Net {
            i = Input(8, 8, 4);
            x = residual(4, 1)(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_parameter_given_twice() -> Result<()> {
    model! {
        block residual(filters, stride = 1)(x) {
            y = Conv2D(filters, 3, stride=stride, same)(x);
            if stride > 1 {
                x = Conv2D(filters, 1, stride=stride)(x);
            }
            ReLU()(y + x)
        }
        Net {
            i = Input(8, 8, 4);
            x = residual(4)(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_misspelled_keyword_of_a_block() -> Result<()> {
    model! {
        block residual(filters, stride = 1)(x) {
            y = Conv2D(filters, 3, stride=stride, same)(x);
            if stride > 1 {
                x = Conv2D(filters, 1, stride=stride)(x);
            }
            ReLU()(y + x)
        }
        Net {
            i = Input(8, 8, 4);
            x = residual(4, stride=2)(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_two_tensors_for_a_block_of_one() -> Result<()> {
    model! {
        block residual(filters, stride = 1)(x) {
            y = Conv2D(filters, 3, stride=stride, same)(x);
            if stride > 1 {
                x = Conv2D(filters, 1, stride=stride)(x);
            }
            ReLU()(y + x)
        }
        Net {
            i = Input(8, 8, 4);
            x = ReLU()(i);
            x = residual(4)(x);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_block_applied_to_nothing() -> Result<()> {
    model! {
        block residual(filters, stride = 1)(x) {
            y = Conv2D(filters, 3, stride=stride, same)(x);
            if stride > 1 {
                x = Conv2D(filters, 1, stride=stride)(x);
            }
            ReLU()(y + x)
        }
        Net {
            i = Input(8, 8, 4);
            x = ReLU()(i);
            x = residual(4)(x);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_tensor_in_the_first_parentheses_of_a_block() -> Result<()> {
    model! {
        block residual(filters, stride = 1)(x) {
            y = Conv2D(filters, 3, stride=stride, same)(x);
            if stride > 1 {
                x = Conv2D(filters, 1, stride=stride)(x);
            }
            ReLU()(y + x)
        }
        Net {
            i = Input(8, 8, 4);
            x = residual(4)(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_two_names_for_one_tensor() -> Result<()> {
    model! {
        block residual(filters, stride = 1)(x) {
            y = Conv2D(filters, 3, stride=stride, same)(x);
            if stride > 1 {
                x = Conv2D(filters, 1, stride=stride)(x);
            }
            ReLU()(y + x)
        }
        Net {
            i = Input(8, 8, 4);
            x = residual(4)(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_one_name_for_two_tensors() -> Result<()> {
    model! {
        block two()(x) {
            (x, x)
        }
        Net {
            i = Input(4);
            (a, b) = two()(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_block_made_of_itself() -> Result<()> {
    model! {
        block deep()(x) {
            for _ in 0..3 {
                x = Dense(4)(x);
            }
            x
        }
        Net {
            i = Input(4);
            x = deep()(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_block_that_gives_no_tensor() -> Result<()> {
    model! {
        block head()(x) {
            x = Dense(4)(x);
            x
        }
        Net {
            i = Input(4);
            x = head()(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_after_the_value_of_a_block() -> Result<()> {
    model! {
        block head()(x) {
            Dense(4)(x)
        }
        Net {
            i = Input(4);
            x = head()(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_block_that_returns() -> Result<()> {
    model! {
        block head()(x) {
            Dense(4)(x)
        }
        Net {
            i = Input(4);
            x = head()(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_block_without_its_tensors() -> Result<()> {
    model! {
        block head(units)(x) {
            Dense(units)(x)
        }
        Net {
            i = Input(4);
            x = head(4)(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_an_input_in_a_block() -> Result<()> {
    model! {
        block head()(x, i) {
            i + x
        }
        Net {
            i = Input(4);
            x = head()(i, i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_block_that_is_never_used() -> Result<()> {
    model! {
        Net {
            i = Input(4);
            x = Dense(2)(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_tensor_of_a_block_that_is_never_used() -> Result<()> {
    model! {
        block head()(x) {
            x
        }
        Net {
            i = Input(4);
            x = head()(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_parameter_declared_twice() -> Result<()> {
    model! {
        block head(units)(x) {
            Dense(units)(x)
        }
        Net {
            i = Input(4);
            x = head(4)(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_zero_that_comes_from_a_parameter() -> Result<()> {
    model! {
        block head(units)(x) {
            Dense(units)(x)
        }
        Net {
            i = Input(4);
            x = head(1)(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_mistake_at_one_turn_of_a_loop() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = i;
        for kernel in [3, 5, 30] {
            x = Conv2D(8, kernel, padding=same)(x);
        }
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_loop_over_a_number() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = i;
        for k in [64, 128] {
            x = Conv2D(k, 3)(x);
        }
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_loop_without_in() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = i;
        for k in [32, 64] {
            x = Conv2D(k, 3)(x);
        }
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_loop_without_values() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = i;
        for k in [32, 64] {
            x = Conv2D(8, 3)(x);
        }
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_loop_of_pairs_over_numbers() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = i;
        for (filters, kernel) in [(8, 3), (16, 3)] {
            x = Conv2D(filters, kernel)(x);
        }
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_loop_of_too_many_turns() -> Result<()> {
    let net = model! {
        i = Input(4);
        x = i;
        for _ in 0..3 {
            x = Dense(4)(x);
        }
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_condition_that_is_not_known() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = i;
        for stride in [1, 2] {
            if stride > 1 {
                x = Conv2D(8, 3)(x);
            }
        }
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_condition_that_is_missing() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = i;
        for stride in [1, 2] {
            if stride > 1 {
                x = Conv2D(8, 3)(x);
            }
        }
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_shared_layer_that_does_not_fit_what_it_gives() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 3);
        conv = Conv2D(4, 3, same);
        x = Conv2D(4, 3, same)(conv(i));
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_shared_layer_that_fits_its_first_tensor_alone() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 3);
        conv = Conv2D(4, 3, same);
        x = conv(i);
        x = Conv2D(4, 3, same)(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_shared_layer_whose_kernel_is_larger_than_the_image() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 3);
        conv = Conv2D(4, 9, padding=same);
        x = conv(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_shared_layer_that_is_never_applied() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 3);
        conv = Conv2D(4, 3);
        x = Flatten()(conv(i));
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_shared_layer_given_its_arguments_again() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 3);
        conv = Conv2D(4, 3);
        x = conv(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_a_shared_layer_in_the_place_of_a_tensor() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 3);
        conv = Conv2D(4, 3);
        x = conv(i);
        x = Flatten()(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn blocks_more_statements_than_any_model_takes() -> Result<()> {
    let net = model! {
        i = Input(4);
        x = i;
        for _ in 0..2 {
            for _ in 0..2 {
                x = Dense(4)(x);
            }
        }
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_a_layer_of_nn() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_a_layer_of_torch_nn() -> Result<()> {
    let net = model! {
        i = Input(64);
        x = Dense(10)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_a_layer_of_layers() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_a_layer_of_keras_layers() -> Result<()> {
    let net = model! {
        i = Input(64);
        x = Dense(10)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_a_layer_of_tf_keras_layers() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = MaxPooling2D(2)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_an_input_of_layers() -> Result<()> {
    let net = model! {
        i = Input(shape=(28, 28, 1));
        x = Conv2D(32, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_nn_relu() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = ReLU()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_f_relu_x() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = ReLU()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_torch_tanh_x() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Activation(tanh)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_relu_x() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = ReLU()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_f_max_pool2d_x_2() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = MaxPooling2D(2)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_x_view() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Reshape(784)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_x_flatten() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Flatten()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_torch_flatten_x_1() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Flatten()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_a_method_of_what_a_layer_gives() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = ReLU()(Conv2D(8, 3)(i));
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_torch_cat() -> Result<()> {
    let net = model! {
        a = Input(28, 28, 1);
        b = Conv2D(8, 1)(a);
        x = Concatenate()([a, b]);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_a_layer_of_self() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        conv = Conv2D(8, 3);
        x = conv(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_model_add() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Flatten()(i);
        x = Dense(10)(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_kernel() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, kernel_size=3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_out_channels() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(filters=32, kernel_size=3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_in_channels() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_num_features() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 8);
        x = BatchNormalization()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_out_features() -> Result<()> {
    let net = model! {
        i = Input(64);
        x = Dense(units=10)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_input_shape() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_padding_mode() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_data_format() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_p_for_a_rate() -> Result<()> {
    let net = model! {
        i = Input(64);
        x = Dropout(rate=0.5)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_size_of_a_pool() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = MaxPooling2D(pool_size=2)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_activation_nn_relu() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, activation=relu)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_activation_tf_nn_relu() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, activation=relu)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_a_word_in_single_quotes() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, name="a")(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_a_word_behind_a_single_quote() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, activation=relu)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_batchnorm2d_8() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 8);
        x = BatchNormalization()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_dropout2d_0_2() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 8);
        x = SpatialDropout2D(0.2)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_adaptiveavgpool2d_1() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 8);
        x = AdaptiveAveragePooling2D(1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_sigmoid() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 8);
        x = Activation(sigmoid)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_for_in_range_3() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 8);
        x = i;
        for _ in 0..3 {
            x = Conv2D(8, 3)(x);
        }
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_model_inputs_outputs_bound_to_a_name() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Flatten()(i);
        Model(inputs=i, outputs=x)
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn elsewhere_nn_linear_512_10() -> Result<()> {
    let net = model! {
        i = Input(512);
        x = Dense(10)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_negative_maximum() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = ReLU(max_value=6)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_negative_slope() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = LeakyReLU(0.3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_constant_of_0_in_a_denominator() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = LocalResponseNormalization(5, k=1.0)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_no_groups_to_normalise() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = GroupNormalization(groups=1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_momentum_above_1() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = BatchNormalization(momentum=0.99)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_mean_without_a_variance() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = Normalization()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_variance_below_0() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = Normalization(mean=0.5, variance=1.0)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_means_of_other_channels() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = Normalization(mean=0.5, variance=1.0)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_weights_along_an_axis_of_unknown_size() -> Result<()> {
    let net = model! {
        i = Input(_, _, 3);
        x = PReLU(shared_axes=(1, 2))(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_negative_rate() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = Dropout(0.2)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_rate_of_1() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = SpatialDropout2D(0.2)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_negative_noise() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = GaussianNoise(0.1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_an_image_resized_to_nothing() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = Resizing(1, 8)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_flip_along_no_axis() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = RandomFlip(horizontal)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_no_depth_to_multiply() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = DepthwiseConv2D(3, depth_multiplier=1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_vector_repeated_0_times() -> Result<()> {
    let net = model! {
        i = Input(8);
        x = RepeatVector(1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_pool_over_all_of_a_vector() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 1);
        x = GlobalAveragePooling2D()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_padding_of_three_axes_around_an_image() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = ZeroPadding2D(1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_number_for_a_word() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = UpSampling2D(2, interpolation=nearest)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_an_initializer_nobody_knows() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = Dense(3, kernel_initializer=Constant(1))(GlobalMaxPooling2D()(i));
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_an_initializer_whose_bounds_are_swapped() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = Conv2D(8, 3, kernel_initializer=RandomUniform(-1.0, 1.0))(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_regularizer_that_changes_nothing() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = Conv2D(8, 3, kernel_regularizer=L1L2(l1=0.001, l2=0.01))(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_regularizer_that_rewards_large_weights() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = Conv2D(8, 3, kernel_regularizer=L2(0.001))(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_causal_padding_of_a_transposed_convolution() -> Result<()> {
    let net = model! {
        i = Input(8, 4);
        x = Conv1DTranspose(8, 3, padding=same)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_flattened_image_of_more_values_than_any_layer_takes() -> Result<()> {
    let net = model! {
        i = Input(100000, 100000, 3);
        x = GlobalMaxPooling2D()(i);
        x = Flatten()(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_an_initializer_that_takes_no_numbers() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = Conv2D(8, 3, kernel_initializer=he_normal)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_constraint_nobody_knows() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 3);
        x = Conv2D(8, 3, kernel_constraint=MaxNorm(3))(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_number_for_a_constraint() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 3);
        x = Conv2D(8, 3, kernel_constraint=MaxNorm(3))(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_constraint_along_an_axis_that_a_kernel_does_not_have() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 3);
        x = Conv2D(8, (3, 5), kernel_constraint=MaxNorm(3, axis=(0, 1, 2)))(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_constraint_along_an_axis_that_a_bias_does_not_have() -> Result<()> {
    let net = model! {
        i = Input(8);
        x = Dense(3, bias_constraint=UnitNorm(axis=0))(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_constraint_along_an_axis_with_a_name_that_it_does_not_have() -> Result<()> {
    let net = model! {
        i = Input(8);
        x = Dense(3, kernel_constraint=UnitNorm(axis=1))(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_constraint_that_leaves_nothing_of_the_weights() -> Result<()> {
    let net = model! {
        i = Input(8);
        x = Dense(3, kernel_constraint=MaxNorm(2))(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_constraint_whose_bounds_are_swapped() -> Result<()> {
    let net = model! {
        i = Input(8);
        x = Dense(3, kernel_constraint=MinMaxNorm(0.5, 1.5))(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_constraint_that_goes_too_far() -> Result<()> {
    let net = model! {
        i = Input(8);
        x = Dense(3, kernel_constraint=MinMaxNorm(0.5, 1.5, rate=0.9))(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_constraint_that_takes_no_numbers() -> Result<()> {
    let net = model! {
        i = Input(8);
        x = Dense(3, bias_constraint=NonNeg())(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_an_activation_that_takes_numbers() -> Result<()> {
    let net = model! {
        i = Input(8);
        x = Dense(3)(i);
        x = Threshold(threshold=0.2, value=0.2)(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_layer_as_an_activation_with_its_numbers() -> Result<()> {
    let net = model! {
        i = Input(8);
        x = Dense(3)(i);
        x = Threshold(0.5, 0)(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_layer_as_an_activation_without_a_keyword() -> Result<()> {
    let net = model! {
        i = Input(8);
        x = Dense(3)(i);
        x = PReLU()(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_threshold_without_a_value() -> Result<()> {
    let net = model! {
        i = Input(8);
        x = Threshold(0.5, value=0.2)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_penalty_that_rewards_large_values() -> Result<()> {
    let net = model! {
        i = Input(8);
        x = ActivityRegularization(l2=0.001)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_images_that_are_not_padded_with_one_value() -> Result<()> {
    let net = model! {
        i = Input(8, 6, 3);
        x = Resizing(4, 4, pad_to_aspect_ratio, fill_mode=constant)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_normalisation_along_no_axis() -> Result<()> {
    let net = model! {
        i = Input(8, 6, 3);
        x = UnitNormalization()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_normalisation_of_sizes_that_are_open() -> Result<()> {
    let net = model! {
        i = Input(_, _, 3);
        x = RMSNormalization(axis=-1)(i);
        x = GlobalMaxPooling2D()(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_a_rectifier_as_an_activation_with_its_slope() -> Result<()> {
    let net = model! {
        i = Input(8);
        x = Dense(3)(i);
        x = LeakyReLU(0.1)(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_means_that_are_nested_the_other_way_round() -> Result<()> {
    let net = model! {
        i = Input(2, 6, 3);
        x = Normalization(axis=(1, 3), mean=((0.1, 0.3, 0.5), (0.2, 0.4, 0.6)), variance=1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn layers_means_that_are_nested_unevenly() -> Result<()> {
    let net = model! {
        i = Input(2, 6, 3);
        x = Normalization(axis=(1, 3), mean=((0.1, 0.2, 0.3), (0.4, 0.5, 0.6)), variance=1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn merging_a_sum_over_other_channels() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 8);
        a = Conv2D(32, 3, same)(i);
        b = Conv2D(64, 3, same)(i);
        b = Conv2D(32, 1)(b);
        x = Add()([a, b]);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn merging_a_sum_with_an_operator_over_other_channels() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 8);
        a = Conv2D(32, 3, same)(i);
        i = Conv2D(32, 1)(i);
        x = a + i;
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn merging_a_shortcut_past_a_stride() -> Result<()> {
    let net = model! {
        i = Input(56, 56, 64);
        y = Conv2D(128, 3, stride=2, same)(i);
        i = Conv2D(128, 1, stride=2)(i);
        x = Add()([y, i]);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn merging_maps_of_other_heights_side_by_side() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 8);
        a = Conv2D(16, 3, padding=same)(i);
        b = Conv2D(16, 3, same)(i);
        x = Concatenate()([a, b]);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn merging_a_sum_over_an_image_and_a_smaller_one() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 8);
        a = Conv2D(8, 3, padding=same)(i);
        x = Add()([i, a]);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn merging_a_sum_of_one_tensor() -> Result<()> {
    let net = model! {
        a = Input(8);
        b = Dense(8)(a);
        x = Add()([a, b]);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn merging_a_sum_with_a_map_of_one_channel() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 8);
        a = Conv2D(1, 1)(i);
        a = Conv2D(8, 1)(a);
        x = Add()([i, a]);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn merging_a_sum_of_vectors_of_other_lengths() -> Result<()> {
    let net = model! {
        i = Input(8);
        a = Dense(16)(i);
        a = Dense(8)(a);
        x = Add()([i, a]);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn merging_a_difference_of_three() -> Result<()> {
    let net = model! {
        a = Input(8);
        b = Dense(8)(a);
        x = Subtract()([a, b]);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn merging_a_sum_of_an_image_and_a_vector() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 8);
        v = GlobalMaxPooling2D()(i);
        w = GlobalAveragePooling2D()(i);
        x = Add()([w, v]);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn merging_an_image_beside_a_vector() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 8);
        v = GlobalMaxPooling2D()(i);
        w = Flatten()(i);
        x = Concatenate()([w, v]);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn merging_side_by_side_along_the_batch() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 8);
        x = Concatenate(axis=-1)([i, i]);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn merging_two_tensors_for_a_layer_of_one() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 8);
        x = ReLU()(i);
        x = Conv2D(8, 3)(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn merging_tensors_that_are_subtracted_with_an_operator() -> Result<()> {
    let net = model! {
        a = Input(8);
        b = Dense(8)(a);
        x = Subtract()([a, b]);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn merging_tensors_that_are_multiplied_with_an_operator() -> Result<()> {
    let net = model! {
        a = Input(8);
        b = Dense(8)(a);
        x = Multiply()([a, b]);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn merging_a_product_over_axes_of_other_sizes() -> Result<()> {
    let net = model! {
        a = Input(40, 16);
        b = Input(16, 40);
        x = Dot(axes=(2, 1))([a, b]);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn merging_a_product_over_the_batch() -> Result<()> {
    let net = model! {
        a = Input(16);
        b = Input(16);
        x = Dot(axes=-1)([a, b]);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_layer_in_other_case() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_misspelled_layer() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Flatten()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_layer_nobody_knows() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Flatten()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_misspelled_argument() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, stride=2)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_an_argument_nobody_knows() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, strides=2)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_misspelled_word() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, relu)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_misspelled_activation() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, activation=sigmoid)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_misspelled_padding() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, padding="same")(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_misspelled_initializer() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, kernel_initializer=he_normal)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_misspelled_interpolation() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = UpSampling2D(2, interpolation=bilinear)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_misspelled_tensor() -> Result<()> {
    let net = model! {
        image = Input(28, 28, 1);
        x = Conv2D(8, 3)(image);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_tensor_of_another_name() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(8, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_tensor_nobody_has_bound() -> Result<()> {
    let net = model! {
        image = Input(28, 28, 1);
        x = Conv2D(8, 3)(image);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_tensor_that_is_bound_later() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        pool = MaxPooling2D(2)(i);
        x = Flatten()(pool);
        Model(i, [x, pool])
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_name_that_is_taken() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(8, 3, name=stem)(i);
        x = Conv2D(8, 3, name=stem_1)(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_name_that_cannot_be_a_field() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(8, 3, name="first_layer")(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_name_that_is_a_keyword_of_rust() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(8, 3, name="layer_type")(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_name_that_is_a_number() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(8, 3, name=stem)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_tensor_named_like_a_keyword_of_rust() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        box_ = Conv2D(8, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_misspelled_block() -> Result<()> {
    model! {
        block stem(filters)(x) {
            Conv2D(filters, 3)(x)
        }
        Net {
            i = Input(28, 28, 1);
            x = stem(8)(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_misspelled_parameter_of_a_block() -> Result<()> {
    model! {
        block stem(filters)(x) {
            Conv2D(filters, 3)(x)
        }
        Net {
            i = Input(28, 28, 1);
            x = stem(filters=8)(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_misspelled_use_of_a_parameter() -> Result<()> {
    model! {
        block stem(filters)(x) {
            Conv2D(filters, 3)(x)
        }
        Net {
            i = Input(28, 28, 1);
            x = stem(8)(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_misspelled_variable_of_a_loop() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = i;
        for filters in [8, 16] {
            x = Conv2D(filters, 3)(x);
        }
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_a_misspelled_attribute() -> Result<()> {
    let net = model! {
        #![strict]
        i = Input(28, 28, 1);
        x = Conv2D(8, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn names_two_mistakes_are_two_errors() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(8, 3, relu)(i);
        y = Conv2D(8, 40, padding=same)(i);
        Model(i, [x, y])
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn own_layers_custom_without_a_layer() -> Result<()> {
    let net = model! {
        i = Input(28);
        x = Custom(layer=MyLayer { by: 0.5 })(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn own_layers_a_number_for_a_layer() -> Result<()> {
    let net = model! {
        i = Input(28);
        x = Dense(10)(i);
        x = Custom(MyLayer { by: 0.5 })(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn own_layers_the_name_of_a_layer_in_quotes() -> Result<()> {
    let net = model! {
        i = Input(28);
        x = Dense(10)(i);
        x = Custom(MyLayer { by: 0.5 })(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn own_layers_a_layer_of_one_s_own_without_custom() -> Result<()> {
    let net = model! {
        i = Input(28);
        x = Custom(MyLayer { by: 0.5 })(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn own_layers_arguments_of_the_layer_beside_it() -> Result<()> {
    let net = model! {
        i = Input(28);
        x = Custom(MyLayer { by: 0.5 })(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn own_layers_a_keyword_with_a_typing_mistake() -> Result<()> {
    let net = model! {
        i = Input(28);
        x = Custom(MyLayer { by: 0.5 }, name=half)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn own_layers_a_tensor_in_the_first_parentheses() -> Result<()> {
    let net = model! {
        i = Input(28);
        x = Custom(MyLayer { by: 0.5 })(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn own_layers_no_tensor() -> Result<()> {
    let net = model! {
        i = Input(28);
        x = Dense(10)(i);
        x = Custom(MyLayer { by: 0.5 })(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn own_layers_a_layer_that_is_applied_to_nothing() -> Result<()> {
    let net = model! {
        i = Input(28);
        x = Dense(10)(i);
        x = Custom(MyLayer { by: 0.5 })(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn own_layers_a_name_that_is_taken() -> Result<()> {
    let net = model! {
        i = Input(28);
        x = Custom(MyLayer { by: 0.5 }, name=half)(i);
        x = Custom(MyLayer { by: 0.25 }, name=half_1)(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_an_image_without_channels() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_a_pool_of_a_vector() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = MaxPooling2D(2)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_a_convolution_after_the_image_was_flattened() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3)(i);
        x = Flatten()(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_a_sequence_without_channels() -> Result<()> {
    let net = model! {
        i = Input(128, 1);
        x = Conv1D(32, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_a_volume_without_channels() -> Result<()> {
    let net = model! {
        i = Input(16, 16, 16, 1);
        x = Conv3D(8, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_an_image_for_a_layer_of_sequences() -> Result<()> {
    let net = model! {
        i = Input(128, 1);
        x = Conv1D(8, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_a_volume_for_a_layer_of_images() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = MaxPooling2D(2)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_a_dense_layer_on_an_image() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(8, 3)(i);
        x = Flatten()(x);
        x = Dense(10, softmax)(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_a_dense_layer_on_a_sequence() -> Result<()> {
    let net = model! {
        i = Input(128, 4);
        x = Flatten()(i);
        x = Dense(10)(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_flatten_of_an_image_of_unknown_size() -> Result<()> {
    let net = model! {
        i = Input(_, _, 3);
        x = Conv2D(8, 3)(i);
        x = GlobalMaxPooling2D()(x);
        x = Dense(10)(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_a_convolution_over_an_unknown_number_of_channels() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 3);
        x = Conv2D(8, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_a_dense_layer_on_a_vector_of_unknown_length() -> Result<()> {
    let net = model! {
        i = Input(64);
        x = Dense(10)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_another_number_of_elements() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Reshape(784)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_another_number_of_elements_whatever_the_last_size() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Reshape(784)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_two_sizes_left_to_follow() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Reshape(-1, 28)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_a_size_of_0_in_a_target() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Reshape(28, -1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_an_axis_permuted_twice() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Permute(3, 2, 1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_fewer_axes_than_there_are() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Permute(3, 2, 1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_a_sequence_repeated() -> Result<()> {
    let net = model! {
        i = Input(8, 8);
        x = Flatten()(i);
        x = RepeatVector(4)(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_batch_normalisation_of_another_axis() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 3);
        x = BatchNormalization()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_groups_that_do_not_divide_what_is_normalised() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 48);
        x = GroupNormalization(groups=24)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_layer_normalisation_of_an_axis_that_is_not_there() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 3);
        x = LayerNormalization(axis=-1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_softmax_over_the_batch() -> Result<()> {
    let net = model! {
        i = Input(10);
        x = Softmax(axis=-1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_half_of_an_odd_number_of_channels() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 3);
        x = Conv2D(10, 3, glu)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_an_input_of_size_0() -> Result<()> {
    let net = model! {
        i = Input(28, 1, 1);
        x = Flatten()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_an_input_of_seven_axes() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Flatten()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_an_input_that_begins_with_the_batch() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(8, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_spatial_dropout_of_a_vector() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 1);
        x = SpatialDropout2D(0.2)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_a_stated_shape_is_another_one() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x: [13, 13, 32] = Conv2D(32, 3, stride=2)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_a_shape_is_asked_for() -> Result<()> {
    let net = model! {
        i = Input(28, 20, 1);
        x = Conv2D(32, 3, stride=2)(i);
        x: [4, 3, 32] = MaxPooling2D(3)(x);
        x = Flatten()(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn shapes_a_stated_shape_is_no_list() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x: [13, 13, 32] = Conv2D(32, 3, stride=2)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_tensor_bound_with_let() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_missing() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3)(i);
        x = Flatten()(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_two_equals_signs_for_one() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_colon_for_the_equals_sign() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_walrus_for_the_equals_sign() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_colon_for_the_equals_sign_in_a_call() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, kernel_size=3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_two_equals_signs_for_one_in_a_call() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, kernel_size=3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_layer_applied_to_nothing() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = ReLU()(i);
        x = Conv2D(32, 3)(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_layer_that_is_not_called() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = ReLU()(i);
        x = Flatten()(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_layer_without_the_parentheses_of_its_arguments() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Flatten()(i);
        x = ReLU()(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_layer_without_its_tensor() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = ReLU()(i);
        x = Flatten()(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_half_typed_name() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = ReLU()(i);
        y = Conv2D(32, 3)(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_half_typed_statement() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = ReLU()(i);
        x = Conv2D(32, 3)(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_layer_without_a_name_for_its_output() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_tensor_that_is_never_used() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        a = Conv2D(8, 3)(i);
        x = Flatten()(a);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_tensor_that_is_bound_again_before_it_is_used() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Flatten()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_an_input_that_reaches_no_output() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Flatten()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_an_input_without_a_name() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Flatten()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_model_without_an_input() -> Result<()> {
    model! {
        Net {
            i = Input(28, 28, 1);
            x = Flatten()(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_an_empty_model() -> Result<()> {
    model! {
        Net {
            i = Input(28, 28, 1);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_the_outputs_of_a_model_are_missing() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Flatten()(i);
        Model(i, x)
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_the_ends_of_a_model_are_swapped() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Flatten()(i);
        Model(i, x)
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_an_input_is_missing_from_model() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        j = Input(28, 28, 1);
        x = Add()([i, j]);
        Model([i, j], x)
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_an_input_is_listed_twice() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Flatten()(i);
        Model([i], x)
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_statement_after_model() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Flatten()(i);
        Model(i, x)
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_too_many() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Flatten()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_number_for_a_layer() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = ReLU()(i);
        x = Conv2D(32, 3)(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_sequential_applied_to_nothing() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = ReLU()(i);
        x = Sequential([Flatten(), Dense(10)])(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_sequential_model_without_an_input() -> Result<()> {
    let net = model! {
        Sequential([Input(28, 28, 1), Flatten(), Dense(10)])
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_layer_of_sequential_that_is_applied() -> Result<()> {
    let net = model! {
        Sequential([Input(28, 28, 1), Flatten(), Dense(10)])
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_sequential_of_names() -> Result<()> {
    let net = model! {
        Sequential([Input(28, 28, 1), Flatten(), Dense(10)])
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_statement_after_sequential() -> Result<()> {
    let net = model! {
        Sequential([Input(28, 28, 1), Flatten(), Dense(10)])
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_model_declared_as_a_struct() -> Result<()> {
    model! {
        pub Net {
            i = Input(28, 28, 1);
            x = Flatten()(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_model_without_braces() -> Result<()> {
    model! {
        pub Net {
            i = Input(28, 28, 1);
            x = Flatten()(i);
        }
    }
    Net::new(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_while_loop() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = i;
        for filters in [32, 64] {
            x = Conv2D(filters, 3)(x);
        }
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_layer_in_the_place_of_a_tensor() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        conv = Conv2D(8, 3);
        x = conv(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_a_keyword_of_rust_in_the_place_of_a_tensor() -> Result<()> {
    let net = model! {
        type_ = Input(28, 28, 1);
        x = Flatten()(type_);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_an_expression_nested_too_deep() -> Result<()> {
    let net = model! {
        i = Input(4);
        x = Flatten()(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn statements_an_argument_without_its_value() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(filters=32, kernel_size=3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_a_kernel_larger_than_the_image() -> Result<()> {
    let net = model! {
        i = Input(4, 4, 3);
        x = Conv2D(8, 5, padding=same)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_strides_have_left_too_small_an_image() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, stride=2)(i);
        x = Conv2D(64, 3, stride=2)(x);
        x = Conv2D(128, 3, stride=2)(x);
        x = Conv2D(256, 3, stride=2, padding=same)(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_a_strict_convolution_with_a_remainder() -> Result<()> {
    let net = model! {
        #![strict]
        i = Input(7, 7, 3);
        x = Conv2D(1, 3, stride=3, padding=1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_a_strict_pool_with_a_remainder() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = MaxPooling2D(2, strict)(i);
        x = MaxPooling2D(4, strict, padding=1)(x);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_a_strict_stride_that_no_padding_makes_fit() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 3);
        x = Conv2D(4, 3, stride=2, strict=false)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_a_pool_larger_than_the_image() -> Result<()> {
    let net = model! {
        i = Input(2, 2, 8);
        x = MaxPooling2D(3, padding=same)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_a_stride_of_0() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, stride=1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_a_kernel_of_0() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, (3, 1))(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_a_dilation_of_0() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, dilation_rate=1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_no_filters() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(1, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_a_kernel_of_three_sizes_for_an_image() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, kernel_size=(3, 3))(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_a_kernel_of_two_sizes_for_a_sequence() -> Result<()> {
    let net = model! {
        i = Input(128, 4);
        x = Conv1D(32, kernel_size=3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_groups_that_do_not_divide_the_channels() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 3);
        x = Conv2D(32, 3, groups=1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_groups_that_do_not_divide_the_filters() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 4);
        x = Conv2D(9, 3, groups=1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_no_groups() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 4);
        x = Conv2D(8, 3, groups=1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_cropping_that_leaves_nothing() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = Cropping2D((3, 3))(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_a_dilated_kernel_larger_than_the_image() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = Conv2D(8, 3, dilation_rate=4, padding=same)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_a_kernel_too_wide_alone() -> Result<()> {
    let net = model! {
        i = Input(28, 4, 1);
        x = Conv2D(8, (3, 5), padding=same)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_a_kernel_longer_than_the_sequence() -> Result<()> {
    let net = model! {
        i = Input(5, 8);
        x = Conv1D(16, 7, padding=same)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_a_kernel_deeper_than_the_volume() -> Result<()> {
    let net = model! {
        i = Input(2, 16, 16, 1);
        x = Conv3D(8, 3, padding=same)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_causal_padding_of_an_image() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(8, 3, padding=same)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_padding_that_fills_a_pool() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = MaxPooling2D(2, padding=same)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_padding_of_three_axes_for_an_image() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = Conv2D(8, 3, padding=same)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_output_padding_that_reaches_the_stride() -> Result<()> {
    let net = model! {
        i = Input(8, 8, 4);
        x = Conv2DTranspose(8, 3, stride=2, output_padding=1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_padding_that_leaves_nothing_of_a_transposed_convolution() -> Result<()> {
    let net = model! {
        i = Input(2, 2, 4);
        x = Conv2DTranspose(8, 3, padding=valid)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_a_depthwise_kernel_larger_than_the_image() -> Result<()> {
    let net = model! {
        i = Input(4, 4, 8);
        x = DepthwiseConv2D(5, padding=same)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_an_enlargement_by_0() -> Result<()> {
    let net = model! {
        i = Input(4, 4, 8);
        x = UpSampling2D(1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_an_adaptive_pool_of_no_cells() -> Result<()> {
    let net = model! {
        i = Input(4, 4, 8);
        x = AdaptiveAveragePooling2D(1)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_a_size_that_no_computer_would_take() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(64, 3)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}

#[test]
fn windows_a_number_too_large_to_be_read() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(32, 9)(i);
    };
    net.build(&Device::Cpu, Seed(0)).map(drop)
}
