//! Every layer of the language, one file each.

use crate::layer::layers;
use crate::{Argument, Inferred, Operand, Refusal, Setting, ShapeError, Value, rules};

layers! {
    input::Input,
    conv2d::Conv2D,
    max_pooling2d::MaxPooling2D,
    average_pooling2d::AveragePooling2D,
    global_max_pooling2d::GlobalMaxPooling2D,
    global_average_pooling2d::GlobalAveragePooling2D,
    flatten::Flatten,
    dense::Dense,
    dropout::Dropout,
    activation::Activation,
    relu::ReLU,
    softmax::Softmax,
}
