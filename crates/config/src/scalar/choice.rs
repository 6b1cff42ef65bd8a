//! Fields that take one of some words.

/// Declares an enumeration of words. Without more, an absent field is a value of its own; with
/// `Name = First` it is the variant named, which a patch then cannot bring back, exactly as with the
/// zero of a number.
macro_rules! choice {
    (
        $(#[$meta:meta])*
        $name:ident = $first:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),+ $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_meta])* $variant),+
        }

        impl Default for $name {
            fn default() -> Self {
                Self::$first
            }
        }

        impl $name {
            /// Every word.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::scalar::ChoiceError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(crate::scalar::ChoiceError { found: text.to_owned(), words: Self::WORDS }),
                }
            }
        }

        crate::scalar::choice!(@field $name);
    };
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
        #[allow(clippy::upper_case_acronyms, reason = "the words are those of the field")]
        pub enum $name {
            #[doc = "Not given."]
            #[default]
            Unset,
            $($(#[$variant_meta])* $variant),+
        }

        impl $name {
            /// Every word.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    Self::Unset => "",
                    $(Self::$variant => $word),+
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::scalar::ChoiceError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    "" => Ok(Self::Unset),
                    $($word => Ok(Self::$variant),)+
                    _ => Err(crate::scalar::ChoiceError { found: text.to_owned(), words: Self::WORDS }),
                }
            }
        }

        crate::scalar::choice!(@field $name);
    };
    (@field $name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl crate::field::Field for $name {
            fn decode(
                &mut self,
                node: &yaml::Node,
                cx: &mut crate::decode::Decoder,
            ) -> Option<yaml::Value> {
                match node.scalar() {
                    Some(scalar) if scalar.resolved() == yaml::Resolved::Null => {}
                    Some(scalar) => match scalar.text.parse() {
                        Ok(value) => *self = value,
                        Err(error) => cx.refused(node, error),
                    },
                    None => cx.mismatch(node, "string"),
                }
                None
            }

            fn encode(&self) -> yaml::Value {
                yaml::Value::String(self.as_str().to_owned())
            }

            fn is_empty(&self) -> bool {
                *self == Self::default()
            }

            fn shape() -> crate::field::Shape {
                crate::field::Shape::Choice(Self::WORDS)
            }
        }
    };
}

pub(crate) use choice;

/// A word that is not one of the accepted ones.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not accepted here: want one of {}", words.join(", "))]
pub struct ChoiceError {
    /// The word.
    pub found: String,
    /// The accepted words.
    pub words: &'static [&'static str],
}
