//! The members of an event's JSON that anything is made of, found in one pass.
//!
//! It looks names up and keeps values as they stand; whether they have the right type, are required or agree is judged elsewhere.

use super::json::{Malformed, Reader, Text, Value};

/// What stands at the top of an event. Of a repeated name the last counts, whole.
#[derive(Debug, Default)]
pub(super) struct Members<'a> {
    pub(super) kind: Value<'a>,
    pub(super) message_id: Value<'a>,
    pub(super) shop_id: Value<'a>,
    pub(super) write_key: Value<'a>,
    pub(super) received_at: Value<'a>,
    pub(super) sent_at: Value<'a>,
    pub(super) original_timestamp: Value<'a>,
    pub(super) timestamp: Value<'a>,
    pub(super) anonymous_id: Value<'a>,
    pub(super) user_id: Value<'a>,
    pub(super) event: Value<'a>,
    pub(super) client_ip: Value<'a>,
    pub(super) context: Context<'a>,
    pub(super) properties: Properties<'a>,
}

/// What stands in `context`.
#[derive(Debug, Default)]
pub(super) struct Context<'a> {
    pub(super) whole: Value<'a>,
    pub(super) page: Page<'a>,
    pub(super) campaign: Campaign<'a>,
    pub(super) library: Library<'a>,
    pub(super) ip: Value<'a>,
    pub(super) user_agent: Value<'a>,
    pub(super) locale: Value<'a>,
}

/// Where a visitor was.
#[derive(Debug, Default)]
pub(super) struct Page<'a> {
    pub(super) path: Value<'a>,
    pub(super) url: Value<'a>,
    pub(super) referrer: Value<'a>,
}

/// What stands in `context.campaign`.
#[derive(Debug, Default)]
pub(super) struct Campaign<'a> {
    pub(super) source: Value<'a>,
    pub(super) medium: Value<'a>,
    pub(super) name: Value<'a>,
}

/// What stands in `context.library`.
#[derive(Debug, Default)]
pub(super) struct Library<'a> {
    pub(super) name: Value<'a>,
    pub(super) version: Value<'a>,
}

/// What stands in `properties`.
#[derive(Debug, Default)]
pub(super) struct Properties<'a> {
    pub(super) whole: Value<'a>,
    pub(super) page: Page<'a>,
    pub(super) order_id: Value<'a>,
    pub(super) currency: Value<'a>,
    pub(super) revenue: Value<'a>,
    pub(super) total: Value<'a>,
    pub(super) product_id: Value<'a>,
    /// The `product_id` of each product in order, if `products` is an array.
    pub(super) products: Option<Vec<Value<'a>>>,
}

/// Reads a whole document; `None` if it is JSON, but no object.
pub(super) fn read(text: &str) -> Result<Option<Members<'_>>, Malformed> {
    let mut reader = Reader::new(text);
    let mut found = Members::default();
    let document = each_member(&mut reader, 0, &mut |reader, name| top_member(reader, name, &mut found))?;
    reader.end()?;
    refuse_lone_surrogate(&reader, document)?;
    Ok(matches!(document, Value::Object(_)).then_some(found))
}

fn top_member<'a>(reader: &mut Reader<'a>, name: Text<'a>, found: &mut Members<'a>) -> Result<(), Malformed> {
    refuse_lone_surrogate(reader, Value::String(name))?;
    let slot = match &*name.decode().unwrap_or_default() {
        "type" => &mut found.kind,
        "messageId" => &mut found.message_id,
        "shopId" => &mut found.shop_id,
        "writeKey" => &mut found.write_key,
        "receivedAt" => &mut found.received_at,
        "sentAt" => &mut found.sent_at,
        "originalTimestamp" => &mut found.original_timestamp,
        "timestamp" => &mut found.timestamp,
        "anonymousId" => &mut found.anonymous_id,
        "userId" => &mut found.user_id,
        "event" => &mut found.event,
        "clientIp" => &mut found.client_ip,
        "context" => {
            found.context = context(reader)?;
            return refuse_lone_surrogate(reader, found.context.whole);
        }
        "properties" => {
            found.properties = properties(reader)?;
            return refuse_lone_surrogate(reader, found.properties.whole);
        }
        _ => {
            let unused = reader.value(1)?;
            return refuse_lone_surrogate(reader, unused);
        }
    };
    *slot = reader.value(1)?;
    refuse_lone_surrogate(reader, *slot)
}

/// Refuses a string at the top that is no text; the place told is the one behind it.
fn refuse_lone_surrogate(reader: &Reader<'_>, value: Value<'_>) -> Result<(), Malformed> {
    match value {
        Value::String(text) if text.has_lone_surrogate() => reader.fail("a lone surrogate in a string at the top"),
        _ => Ok(()),
    }
}

fn context<'a>(reader: &mut Reader<'a>) -> Result<Context<'a>, Malformed> {
    let mut found = Context::default();
    let whole = each_member(reader, 1, &mut |reader, name| {
        match &*name.decode().unwrap_or_default() {
            "page" => found.page = page(reader)?,
            "campaign" => found.campaign = campaign(reader)?,
            "library" => found.library = library(reader)?,
            "ip" => found.ip = reader.value(2)?,
            "userAgent" => found.user_agent = reader.value(2)?,
            "locale" => found.locale = reader.value(2)?,
            _ => drop(reader.value(2)?),
        }
        Ok(())
    })?;
    Ok(Context { whole, ..found })
}

fn page<'a>(reader: &mut Reader<'a>) -> Result<Page<'a>, Malformed> {
    let mut found = Page::default();
    each_member(reader, 2, &mut |reader, name| {
        let value = reader.value(3)?;
        match &*name.decode().unwrap_or_default() {
            "path" => found.path = value,
            "url" => found.url = value,
            "referrer" => found.referrer = value,
            _ => {}
        }
        Ok(())
    })?;
    Ok(found)
}

fn campaign<'a>(reader: &mut Reader<'a>) -> Result<Campaign<'a>, Malformed> {
    let mut found = Campaign::default();
    each_member(reader, 2, &mut |reader, name| {
        let value = reader.value(3)?;
        match &*name.decode().unwrap_or_default() {
            "source" => found.source = value,
            "medium" => found.medium = value,
            "name" => found.name = value,
            _ => {}
        }
        Ok(())
    })?;
    Ok(found)
}

fn library<'a>(reader: &mut Reader<'a>) -> Result<Library<'a>, Malformed> {
    let mut found = Library::default();
    each_member(reader, 2, &mut |reader, name| {
        let value = reader.value(3)?;
        match &*name.decode().unwrap_or_default() {
            "name" => found.name = value,
            "version" => found.version = value,
            _ => {}
        }
        Ok(())
    })?;
    Ok(found)
}

fn properties<'a>(reader: &mut Reader<'a>) -> Result<Properties<'a>, Malformed> {
    let mut found = Properties::default();
    let whole = each_member(reader, 1, &mut |reader, name| {
        let slot = match &*name.decode().unwrap_or_default() {
            "path" => &mut found.page.path,
            "url" => &mut found.page.url,
            "referrer" => &mut found.page.referrer,
            "order_id" => &mut found.order_id,
            "currency" => &mut found.currency,
            "revenue" => &mut found.revenue,
            "total" => &mut found.total,
            "product_id" => &mut found.product_id,
            "products" => {
                found.products = products(reader)?;
                return Ok(());
            }
            _ => return reader.value(2).map(drop),
        };
        *slot = reader.value(2)?;
        Ok(())
    })?;
    Ok(Properties { whole, ..found })
}

fn products<'a>(reader: &mut Reader<'a>) -> Result<Option<Vec<Value<'a>>>, Malformed> {
    if reader.peek() != Some(b'[') {
        return reader.value(2).map(|_| None);
    }
    let mut ids = Vec::new();
    reader.array(2, &mut |reader| {
        let mut id = Value::Missing;
        each_member(reader, 3, &mut |reader, name| {
            let value = reader.value(4)?;
            if &*name.decode().unwrap_or_default() == "product_id" {
                id = value;
            }
            Ok(())
        })?;
        ids.push(id);
        Ok(())
    })?;
    Ok(Some(ids))
}

/// Reads a value in `depth` open containers, and calls `member` for each member if it is an object.
fn each_member<'a, F>(reader: &mut Reader<'a>, depth: usize, member: &mut F) -> Result<Value<'a>, Malformed>
where
    F: FnMut(&mut Reader<'a>, Text<'a>) -> Result<(), Malformed>,
{
    if reader.peek() == Some(b'{') { reader.object(depth, member).map(Value::Object) } else { reader.value(depth) }
}

#[cfg(test)]
mod tests;
