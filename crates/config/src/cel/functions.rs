//! The types of functions and operators.

use super::Type;
use super::environment::Environment;

/// The result type of a function for its argument types; the target of a method comes first.
pub(crate) fn result(
    environment: Environment,
    name: &str,
    method: bool,
    args: &[Type],
) -> Option<Type> {
    match (method, args) {
        (false, [a, b]) if name.starts_with('_') || name == "@in" => operator(name, a, b),
        (false, [a]) if name == "!_" => a.fits(&Type::Bool).then_some(Type::Bool),
        (false, [a]) if name == "-_" => {
            matches!(a, Type::Int | Type::Double | Type::Dyn).then(|| a.clone())
        }
        (_, [a]) if name == "size" => {
            let sized = matches!(a, Type::String | Type::Bytes | Type::Map(..) | Type::Dyn);
            (sized || a.item().is_some()).then_some(Type::Int)
        }
        (true, _) => self::method(name, args),
        (false, [a]) => conversion(name, a).or_else(|| {
            let mac = name == "mac" && environment.has_function(name) && a.fits(&Type::Bytes);
            mac.then_some(Type::String)
        }),
        (false, [a, b]) if environment.has_function(name) => match name {
            "glob" => (a.fits(&Type::String) && b.fits(&Type::String)).then_some(Type::Bool),
            "multiply_qos_vectors" => {
                let vector = Type::Map(Box::new(Type::Int), Box::new(Type::Double));
                (a.fits(&vector) && b.fits(&vector)).then_some(Type::Double)
            }
            _ => None,
        },
        (false, [a, b]) if name == "matches" => {
            (a.fits(&Type::String) && b.fits(&Type::String)).then_some(Type::Bool)
        }
        _ => None,
    }
}

/// Whether any function has that name.
pub(crate) fn exists(environment: Environment, name: &str) -> bool {
    const NAMES: [&str; 21] = [
        "size",
        "int",
        "uint",
        "double",
        "string",
        "bytes",
        "bool",
        "dyn",
        "duration",
        "matches",
        "contains",
        "startsWith",
        "endsWith",
        "getHours",
        "getMinutes",
        "getSeconds",
        "getMilliseconds",
        "hasValue",
        "value",
        "orValue",
        "or",
    ];
    NAMES.contains(&name) || environment.has_function(name) || name.starts_with('_')
}

fn operator(name: &str, a: &Type, b: &Type) -> Option<Type> {
    let both = |wanted: &[Type]| {
        wanted
            .iter()
            .find(|want| a.fits(want) && b.fits(want))
            .map(|want| if *a == Type::Dyn && *b == Type::Dyn { Type::Dyn } else { want.clone() })
    };
    let numbers = [Type::Int, Type::Uint, Type::Double];
    match name {
        "_+_" => {
            if let (Some(item), Some(_)) = (a.item(), b.item())
                && a.fits(b)
            {
                return Some(Type::list(item));
            }
            both(&[Type::Int, Type::Uint, Type::Double, Type::String, Type::Bytes, Type::Duration])
        }
        "_-_" => both(&[Type::Int, Type::Uint, Type::Double, Type::Duration]),
        "_*_" | "_/_" => both(&numbers),
        "_%_" => both(&[Type::Int, Type::Uint]),
        "_==_" | "_!=_" => {
            let numeric = a.is_number() && b.is_number();
            (a.fits(b) || b.fits(a) || numeric || *a == Type::Null || *b == Type::Null)
                .then_some(Type::Bool)
        }
        "_<_" | "_<=_" | "_>_" | "_>=_" => {
            let ordered =
                matches!(a, Type::Bool | Type::String | Type::Bytes | Type::Duration | Type::Dyn)
                    && a.fits(b);
            let numeric = a.is_number() && (b.is_number() || *b == Type::Dyn);
            (ordered || numeric).then_some(Type::Bool)
        }
        "@in" => match b {
            Type::Dyn => Some(Type::Bool),
            Type::Map(key, _) => (a.fits(key)).then_some(Type::Bool),
            _ => b.item().filter(|item| a.fits(item)).map(|_| Type::Bool),
        },
        _ => None,
    }
}

fn method(name: &str, args: &[Type]) -> Option<Type> {
    match (name, args) {
        ("contains" | "startsWith" | "endsWith" | "matches", [a, b]) => {
            (a.fits(&Type::String) && b.fits(&Type::String)).then_some(Type::Bool)
        }
        ("getHours" | "getMinutes" | "getSeconds" | "getMilliseconds", [a]) => {
            a.fits(&Type::Duration).then_some(Type::Int)
        }
        ("hasValue", [Type::Optional(_)]) => Some(Type::Bool),
        ("value", [Type::Optional(value)]) => Some((**value).clone()),
        ("orValue", [Type::Optional(value), other]) => other.fits(value).then(|| (**value).clone()),
        ("or", [Type::Optional(value), Type::Optional(other)]) => {
            other.fits(value).then(|| Type::Optional(value.clone()))
        }
        _ => None,
    }
}

fn conversion(name: &str, from: &Type) -> Option<Type> {
    let any = |wanted: &[Type]| *from == Type::Dyn || wanted.contains(from);
    match name {
        "int" => any(&[Type::Int, Type::Uint, Type::Double, Type::String, Type::Duration])
            .then_some(Type::Int),
        "uint" => any(&[Type::Int, Type::Uint, Type::Double, Type::String]).then_some(Type::Uint),
        "double" => {
            any(&[Type::Int, Type::Uint, Type::Double, Type::String]).then_some(Type::Double)
        }
        "string" => any(&[
            Type::Bool,
            Type::Int,
            Type::Uint,
            Type::Double,
            Type::String,
            Type::Bytes,
            Type::Duration,
        ])
        .then_some(Type::String),
        "bytes" => any(&[Type::String, Type::Bytes]).then_some(Type::Bytes),
        "bool" => any(&[Type::Bool, Type::String]).then_some(Type::Bool),
        "duration" => any(&[Type::String, Type::Duration, Type::Int]).then_some(Type::Duration),
        "dyn" => Some(Type::Dyn),
        _ => None,
    }
}
