//! A place in the bytes of a datum, and Avro's primitives read from there. Knows no schema.

use super::fault::Fault;

/// The bytes that are still to be read.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'de> {
    rest: &'de [u8],
}

impl<'de> Cursor<'de> {
    pub(super) const fn new(bytes: &'de [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What is still to be read.
    pub(super) const fn rest(&self) -> &'de [u8] {
        self.rest
    }

    /// An error if anything is left: a datum that is longer than its schema was written by another one.
    pub(super) fn finish(&self) -> Result<(), Fault> {
        match self.rest.len() {
            0 => Ok(()),
            left => {
                Err(Fault::new(format!("{left} bytes follow the datum: it was written with another schema than its id says")))
            }
        }
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        let (&first, rest) = self.rest.split_first().ok_or_else(Fault::truncated)?;
        self.rest = rest;
        Ok(first)
    }

    #[inline]
    pub(super) fn take(&mut self, length_bytes: usize) -> Result<&'de [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(length_bytes).ok_or_else(Fault::truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(Fault::truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A zigzag varint of up to 64 bits.
    #[inline]
    pub(super) fn long(&mut self) -> Result<i64, Fault> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(unzigzag(u64::from(first)));
        }
        self.long_tail(first)
    }

    fn long_tail(&mut self, first: u8) -> Result<i64, Fault> {
        let mut bits = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = self.byte()?;
            let low = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit only.
            if shift == 63 && low > 1 {
                break;
            }
            bits |= low << shift;
            if byte < 0x80 {
                return Ok(unzigzag(bits));
            }
        }
        Err(Fault::fixed("an integer has more than 64 bits"))
    }

    /// A zigzag varint of up to 32 bits.
    pub(super) fn int(&mut self) -> Result<i32, Fault> {
        i32::try_from(self.long()?).map_err(|_| Fault::fixed("an int has more than 32 bits"))
    }

    pub(super) fn boolean(&mut self) -> Result<bool, Fault> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(Fault::new(format!("a boolean is 0 or 1, not {other}"))),
        }
    }

    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'de [u8], Fault> {
        let length_bytes = usize::try_from(self.long()?).map_err(|_| Fault::fixed("a length is negative"))?;
        self.take(length_bytes)
    }

    #[inline]
    pub(super) fn text(&mut self) -> Result<&'de str, Fault> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Fault::fixed("a string is not UTF-8"))
    }

    /// Whether the value of a union with null is null.
    #[inline]
    pub(super) fn is_null(&mut self, null_index: u8) -> Result<bool, Fault> {
        match self.byte()? {
            byte if byte == null_index << 1 => Ok(true),
            byte if byte == (1 - null_index) << 1 => Ok(false),
            _ => Err(Fault::fixed("a union of two has a third branch")),
        }
    }

    /// The number of items in the next block of an array; 0 ends the array.
    #[inline]
    pub(super) fn block_items(&mut self) -> Result<u64, Fault> {
        let items = self.long()?;
        if items < 0 {
            // A negative count is followed by the block's size in bytes, which only serves those who skip.
            self.long()?;
        }
        Ok(items.unsigned_abs())
    }
}

#[inline]
const fn unzigzag(bits: u64) -> i64 {
    (bits >> 1) as i64 ^ -((bits & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longs_are_read_to_the_last_bit_and_no_further() {
        let max = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        let min = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        let over = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        let endless = [0xff; 12];
        let table: [(&[u8], Option<i64>); 9] = [
            (&[0], Some(0)),
            (&[1], Some(-1)),
            (&[2], Some(1)),
            (&[0x80, 0x01], Some(64)),
            (&max, Some(i64::MAX)),
            (&min, Some(i64::MIN)),
            (&over, None),
            (&endless, None),
            (&[0x80], None),
        ];
        for (bytes, expected) in table {
            assert_eq!(Cursor::new(bytes).long().ok(), expected, "{bytes:x?}");
        }
    }

    #[test]
    fn a_union_branch_is_one_of_two() {
        let table =
            [(0, 0, Some(true)), (0, 2, Some(false)), (1, 0, Some(false)), (1, 2, Some(true)), (0, 4, None), (0, 1, None)];
        for (null_index, byte, expected) in table {
            assert_eq!(Cursor::new(&[byte]).is_null(null_index).ok(), expected, "{null_index} {byte}");
        }
    }
}
