//! AlexNet: Krizhevsky, "One weird trick for parallelizing convolutional neural networks" (2014), the network of Krizhevsky et
//! al. (2012) in one tower.

use crate::model;

model! {
    /// AlexNet in one tower, as PyTorch's collection has it.
    pub AlexNet {
        i = Input(224, 224, 3);
        x = Conv2D(64, 11, stride=4, padding=2, relu)(i);
        x = MaxPooling2D(3, stride=2)(x);
        x = Conv2D(192, 5, same, relu)(x);
        x = MaxPooling2D(3, stride=2)(x);
        for filters in [384, 256, 256] {
            x = Conv2D(filters, 3, same, relu)(x);
        }
        x = MaxPooling2D(3, stride=2)(x);
        x = Flatten()(x);
        for _ in 0..2 {
            x = Dropout(0.5)(x);
            x = Dense(4096, relu)(x);
        }
        x = Dense(1000, softmax)(x);
    }
}
