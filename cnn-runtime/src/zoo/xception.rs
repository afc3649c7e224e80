//! Xception: Chollet, "Xception: deep learning with depthwise separable convolutions" (2017).

use crate::model;

model! {
    block separable(filters)(x) {
        x = SeparableConv2D(filters, 3, same, use_bias=false)(x);
        BatchNormalization()(x)
    }

    // Half the height and width, beside a shortcut of one strided 1×1 convolution.
    block halved(first, filters, relu_first = true)(x) {
        shortcut = Conv2D(filters, 1, stride=2, same, use_bias=false)(x);
        shortcut = BatchNormalization()(shortcut);
        if relu_first {
            x = ReLU()(x);
        }
        x = separable(filters)(ReLU()(separable(first)(x)));
        MaxPooling2D(3, stride=2, same)(x) + shortcut
    }

    block middle()(x) {
        y = x;
        for _ in 0..3 {
            y = separable(728)(ReLU()(y));
        }
        y + x
    }

    /// Xception: an entry flow, eight times the middle flow, an exit flow.
    pub Xception {
        i = Input(299, 299, 3);
        x = Conv2D(32, 3, stride=2, use_bias=false)(i);
        x = ReLU()(BatchNormalization()(x));
        x = Conv2D(64, 3, use_bias=false)(x);
        x = ReLU()(BatchNormalization()(x));
        x = halved(128, 128, relu_first=false)(x);
        x = halved(256, 256)(x);
        x = halved(728, 728)(x);
        for _ in 0..8 {
            x = middle()(x);
        }
        x = halved(728, 1024)(x);
        x = ReLU()(separable(1536)(x));
        x = ReLU()(separable(2048)(x));
        x = GlobalAveragePooling2D()(x);
        x = Dense(1000, softmax)(x);
    }
}
