//! Values as Python source, written without the library's help.

use std::fmt::Write;

use super::value::Value;

impl Value {
    /// Source of an expression that Python gives the same value.
    pub fn source(&self) -> String {
        let join = |items: &[Self]| items.iter().map(|item| item.source() + ", ").collect::<String>();
        let escape = |points: &mut dyn Iterator<Item = u32>| {
            points.fold(String::new(), |mut source, point| {
                write!(source, "\\U{point:08x}").expect("a String takes all");
                source
            })
        };
        let bytes = |bytes: &[u8]| format!("bytes({bytes:?})");
        match self {
            Self::None => "None".to_owned(),
            Self::Bool(truth) => if *truth { "True" } else { "False" }.to_owned(),
            Self::Int(integer) => format!("({integer})"),
            Self::Float(real) | Self::Single(real) => {
                format!(
                    "__import__('struct').unpack('<d', ({}).to_bytes(8, 'little'))[0]",
                    real.to_bits()
                )
            }
            Self::Text(text) => format!("'{}'", escape(&mut text.chars().map(u32::from))),
            Self::Latin1(text) => format!("'{}'", escape(&mut text.iter().copied().map(u32::from))),
            Self::Points(points) => format!("'{}'", escape(&mut points.iter().copied())),
            Self::Big(digits) => format!("int.from_bytes({}, 'little', signed=True)", bytes(digits)),
            Self::Bytes(content) => bytes(content),
            Self::List(items) => format!("[{}]", join(items)),
            Self::Tuple(items) => format!("({})", join(items)),
            Self::Dict(pairs) => {
                let pair = |(key, value): &(Self, Self)| format!("{}: {}, ", key.source(), value.source());
                format!("{{{}}}", pairs.iter().map(pair).collect::<String>())
            }
            other => panic!("{other:?} has no source"),
        }
    }
}
