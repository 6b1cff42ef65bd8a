//! Writing X.509 structures in DER (RFC 5280, RFC 2986). Reading is the parser library's work.

use std::net::IpAddr;

use yasna::{
    DERWriter, DERWriterSeq, Tag,
    models::ObjectIdentifier,
    tags::{TAG_GENERALIZEDTIME, TAG_UTCTIME},
};

use crate::{
    certificate::{ExtendedUsage, Validity},
    key::{Algorithm, KeyError, PrivateKey},
};

const COMMON_NAME: &[u64] = &[2, 5, 4, 3];
const ORGANIZATION: &[u64] = &[2, 5, 4, 10];
const SUBJECT_KEY_ID: &[u64] = &[2, 5, 29, 14];
const KEY_USAGE: &[u64] = &[2, 5, 29, 15];
const SUBJECT_ALT_NAME: &[u64] = &[2, 5, 29, 17];
const BASIC_CONSTRAINTS: &[u64] = &[2, 5, 29, 19];
const AUTHORITY_KEY_ID: &[u64] = &[2, 5, 29, 35];
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];
const EXTENSION_REQUEST: &[u64] = &[1, 2, 840, 113549, 1, 9, 14];

/// The first second that needs a `GeneralizedTime` (RFC 5280, 4.1.2.5): 2050-01-01.
const YEAR_2050: i64 = 2_524_608_000;

/// Bits of `KeyUsage` (RFC 5280, 4.2.1.3), first octet, most significant bit first.
pub(crate) mod key_usage {
    pub(crate) const DIGITAL_SIGNATURE: u8 = 0b1000_0000;
    pub(crate) const KEY_ENCIPHERMENT: u8 = 0b0010_0000;
    pub(crate) const CERTIFICATE_SIGN: u8 = 0b0000_0100;
}

/// What goes into the extensions of a certificate or a request.
#[derive(Default)]
pub(crate) struct Extensions<'a> {
    pub(crate) key_usage: u8,
    pub(crate) extended: &'a [ExtendedUsage],
    /// `Some(true)`: an authority. `None`: the extension is left out.
    pub(crate) authority: Option<bool>,
    pub(crate) subject_key_id: Option<&'a [u8]>,
    pub(crate) authority_key_id: Option<&'a [u8]>,
    pub(crate) dns_names: &'a [String],
    pub(crate) ips: &'a [IpAddr],
    /// RFC 5280, 4.2.1.6: with an empty subject the alternative names are critical.
    pub(crate) critical_names: bool,
}

/// Everything below the signature of a certificate.
pub(crate) struct ToBeSigned<'a> {
    pub(crate) serial: [u8; 16],
    pub(crate) issuer: &'a [u8],
    pub(crate) validity: Validity,
    pub(crate) subject: &'a [u8],
    pub(crate) public_key: &'a [u8],
    pub(crate) extensions: Extensions<'a>,
}

fn oid(components: &[u64]) -> ObjectIdentifier {
    ObjectIdentifier::from_slice(components)
}

fn sequence_of(content: impl FnOnce(&mut DERWriterSeq<'_>)) -> Vec<u8> {
    yasna::construct_der(|writer| writer.write_sequence(content))
}

/// A distinguished name of organizations and a common name, in the order and the one multi-valued set the field uses.
pub(crate) fn name(common_name: &str, organizations: &[String]) -> Vec<u8> {
    sequence_of(|sequence| {
        if !organizations.is_empty() {
            sequence.next().write_set_of(|set| {
                for organization in organizations {
                    set.next().write_sequence(|pair| {
                        pair.next().write_oid(&oid(ORGANIZATION));
                        write_text(pair.next(), organization);
                    });
                }
            });
        }
        if !common_name.is_empty() {
            sequence.next().write_set(|set| {
                set.next().write_sequence(|pair| {
                    pair.next().write_oid(&oid(COMMON_NAME));
                    write_text(pair.next(), common_name);
                });
            });
        }
    })
}

fn write_text(writer: DERWriter<'_>, text: &str) {
    let printable = |byte: u8| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte);
    if text.bytes().all(printable) {
        writer.write_printable_string(text);
    } else {
        writer.write_utf8_string(text);
    }
}

fn write_time(writer: DERWriter<'_>, seconds: i64) {
    // Both ends of the range are dates of four-digit years, which is all that X.509 can hold.
    let seconds = seconds.clamp(-62_135_596_800, 253_402_300_799);
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    let (tag, format) = if (0..YEAR_2050).contains(&seconds) {
        (TAG_UTCTIME, "%y%m%d%H%M%SZ")
    } else {
        (TAG_GENERALIZEDTIME, "%Y%m%d%H%M%SZ")
    };
    let text = time.strftime(format).to_string();
    writer.write_tagged_implicit(tag, |writer| writer.write_bytes(text.as_bytes()));
}

fn write_signature_algorithm(writer: DERWriter<'_>, algorithm: Algorithm) {
    writer.write_sequence(|sequence| match algorithm {
        Algorithm::Ed25519 => sequence.next().write_oid(&oid(&[1, 3, 101, 112])),
        Algorithm::EcdsaP256 => sequence.next().write_oid(&oid(&[1, 2, 840, 10045, 4, 3, 2])),
        Algorithm::Rsa2048 | Algorithm::Rsa4096 => {
            sequence.next().write_oid(&oid(&[1, 2, 840, 113549, 1, 1, 11]));
            sequence.next().write_null();
        }
    });
}

fn write_extension(writer: DERWriter<'_>, id: &[u64], critical: bool, content: &[u8]) {
    writer.write_sequence(|sequence| {
        sequence.next().write_oid(&oid(id));
        if critical {
            sequence.next().write_bool(true);
        }
        sequence.next().write_bytes(content);
    });
}

fn write_extensions(writer: DERWriter<'_>, extensions: &Extensions<'_>) {
    writer.write_sequence(|sequence| {
        if extensions.key_usage != 0 {
            let bits = 8 - extensions.key_usage.trailing_zeros() as usize;
            let content =
                yasna::construct_der(|w| w.write_bitvec_bytes(&[extensions.key_usage], bits));
            write_extension(sequence.next(), KEY_USAGE, true, &content);
        }
        if !extensions.extended.is_empty() {
            let content = sequence_of(|list| {
                for usage in extensions.extended {
                    list.next().write_oid(&oid(usage.oid()));
                }
            });
            write_extension(sequence.next(), EXTENDED_KEY_USAGE, false, &content);
        }
        if let Some(authority) = extensions.authority {
            let content = sequence_of(|list| {
                if authority {
                    list.next().write_bool(true);
                }
            });
            write_extension(sequence.next(), BASIC_CONSTRAINTS, true, &content);
        }
        if let Some(id) = extensions.subject_key_id {
            let content = yasna::construct_der(|w| w.write_bytes(id));
            write_extension(sequence.next(), SUBJECT_KEY_ID, false, &content);
        }
        if let Some(id) = extensions.authority_key_id {
            let content = sequence_of(|list| {
                list.next().write_tagged_implicit(Tag::context(0), |w| w.write_bytes(id));
            });
            write_extension(sequence.next(), AUTHORITY_KEY_ID, false, &content);
        }
        if !extensions.dns_names.is_empty() || !extensions.ips.is_empty() {
            let content = sequence_of(|list| {
                for name in extensions.dns_names {
                    list.next()
                        .write_tagged_implicit(Tag::context(2), |w| w.write_bytes(name.as_bytes()));
                }
                for ip in extensions.ips {
                    list.next().write_tagged_implicit(Tag::context(7), |w| match ip {
                        IpAddr::V4(ip) => w.write_bytes(&ip.octets()),
                        IpAddr::V6(ip) => w.write_bytes(&ip.octets()),
                    });
                }
            });
            write_extension(sequence.next(), SUBJECT_ALT_NAME, extensions.critical_names, &content);
        }
    });
}

/// A certificate, signed.
pub(crate) fn certificate(
    to_be_signed: &ToBeSigned<'_>,
    key: &PrivateKey,
) -> Result<Vec<u8>, KeyError> {
    let mut serial = to_be_signed.serial;
    // A serial number is positive and not zero (RFC 5280, 4.1.2.2).
    serial[0] &= 0x7f;
    if serial.iter().all(|byte| *byte == 0) {
        serial[15] = 1;
    }
    let content = sequence_of(|sequence| {
        sequence.next().write_tagged(Tag::context(0), |w| w.write_u8(2));
        sequence.next().write_bigint_bytes(&serial, true);
        write_signature_algorithm(sequence.next(), key.algorithm());
        sequence.next().write_der(to_be_signed.issuer);
        sequence.next().write_sequence(|validity| {
            write_time(validity.next(), to_be_signed.validity.not_before);
            write_time(validity.next(), to_be_signed.validity.not_after);
        });
        sequence.next().write_der(to_be_signed.subject);
        sequence.next().write_der(to_be_signed.public_key);
        sequence
            .next()
            .write_tagged(Tag::context(3), |w| write_extensions(w, &to_be_signed.extensions));
    });
    signed(&content, key)
}

/// A certification request, signed with its own key.
pub(crate) fn request(
    subject: &[u8],
    extensions: &Extensions<'_>,
    key: &PrivateKey,
) -> Result<Vec<u8>, KeyError> {
    let public_key = key.public_key_der()?;
    let content = sequence_of(|sequence| {
        sequence.next().write_u8(0);
        sequence.next().write_der(subject);
        sequence.next().write_der(&public_key);
        sequence.next().write_tagged_implicit(Tag::context(0), |w| {
            w.write_set(|attributes| {
                if extensions.dns_names.is_empty() && extensions.ips.is_empty() {
                    return;
                }
                attributes.next().write_sequence(|attribute| {
                    attribute.next().write_oid(&oid(EXTENSION_REQUEST));
                    attribute
                        .next()
                        .write_set(|values| write_extensions(values.next(), extensions));
                });
            });
        });
    });
    signed(&content, key)
}

fn signed(content: &[u8], key: &PrivateKey) -> Result<Vec<u8>, KeyError> {
    let signature = key.sign(content)?;
    Ok(sequence_of(|sequence| {
        sequence.next().write_der(content);
        write_signature_algorithm(sequence.next(), key.algorithm());
        sequence.next().write_bitvec_bytes(&signature, signature.len() * 8);
    }))
}

/// `SignedData` of PKCS#7 (RFC 2315, 9.1) around an RSA signature over the SHA-256 of content that is
/// not part of it, with the certificate of who signed.
pub(crate) fn signed_data(
    issuer: &[u8],
    serial: &[u8],
    certificate: &[u8],
    signature: &[u8],
) -> Vec<u8> {
    fn algorithm(writer: DERWriter<'_>, id: &[u64]) {
        writer.write_sequence(|sequence| {
            sequence.next().write_oid(&oid(id));
            sequence.next().write_null();
        });
    }
    const SHA256: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 2, 1];
    const RSA: &[u64] = &[1, 2, 840, 113_549, 1, 1, 1];
    const DATA: &[u64] = &[1, 2, 840, 113_549, 1, 7, 1];
    sequence_of(|sequence| {
        sequence.next().write_u8(1);
        sequence.next().write_set(|set| algorithm(set.next(), SHA256));
        sequence.next().write_sequence(|content| content.next().write_oid(&oid(DATA)));
        sequence.next().write_tagged_implicit(Tag::context(0), |w| {
            w.write_set(|set| set.next().write_der(certificate));
        });
        sequence.next().write_set(|set| {
            set.next().write_sequence(|signer| {
                signer.next().write_u8(1);
                signer.next().write_sequence(|name| {
                    name.next().write_der(issuer);
                    name.next().write_bigint_bytes(serial, true);
                });
                algorithm(signer.next(), SHA256);
                algorithm(signer.next(), RSA);
                signer.next().write_bytes(signature);
            });
        });
    })
}

/// The inner key of a PKCS#8 structure.
pub(crate) fn pkcs8_content(pkcs8: &[u8]) -> Option<Vec<u8>> {
    yasna::parse_der(pkcs8, |reader| {
        reader.read_sequence(|sequence| {
            sequence.next().read_u8()?;
            sequence.next().read_der()?;
            sequence.next().read_bytes()
        })
    })
    .ok()
}
