//! Identity providers.

use craton_base::Result;
use craton_gate::{Act, ProviderChange};

use super::{Call, Xml, next, tags};

pub(super) async fn create(call: &Call<'_>) -> Result<Xml> {
    let form = &call.form;
    let lists = (form.list("ClientIDList"), form.list("ThumbprintList"));
    let made = call
        .gate
        .create_provider(call.session, form.need("Url")?, lists, form.tags())
        .await?;
    let mut xml = Xml::new();
    xml.text("OpenIDConnectProviderArn", &made.arn);
    Ok(xml)
}

pub(super) async fn get(call: &Call<'_>) -> Result<Xml> {
    let arn = call.form.need("OpenIDConnectProviderArn")?;
    let found = call
        .gate
        .provider(call.session, arn, Act::of("iam:GetOpenIDConnectProvider"))
        .await?;
    let mut xml = Xml::new();
    xml.text("Url", &found.url);
    xml.texts("ClientIDList", &found.clients);
    xml.texts("ThumbprintList", &found.thumbprints);
    xml.time("CreateDate", found.created);
    tags(&mut xml, &found.tags);
    Ok(xml)
}

pub(super) async fn list(call: &Call<'_>) -> Result<Xml> {
    let all = call.gate.list_providers(call.session).await?;
    let mut xml = Xml::new();
    xml.list("OpenIDConnectProviderList", &all, |xml, one| {
        xml.text("Arn", &one.arn)
    });
    Ok(xml)
}

pub(super) async fn delete(call: &Call<'_>) -> Result<Xml> {
    call.gate
        .delete_provider(call.session, call.form.need("OpenIDConnectProviderArn")?)
        .await?;
    Ok(Xml::new())
}

async fn change(call: &Call<'_>, act: Act, change: ProviderChange) -> Result<Xml> {
    let arn = call.form.need("OpenIDConnectProviderArn")?;
    call.gate.update_provider(call.session, arn, act, change).await?;
    Ok(Xml::new())
}

pub(super) async fn add_client(call: &Call<'_>) -> Result<Xml> {
    let client = call.form.need("ClientID")?.to_owned();
    change(
        call,
        Act::of("iam:AddClientIDToOpenIDConnectProvider"),
        ProviderChange::AddClient(client),
    )
    .await
}

pub(super) async fn remove_client(call: &Call<'_>) -> Result<Xml> {
    let client = call.form.need("ClientID")?.to_owned();
    let act = Act::of("iam:RemoveClientIDFromOpenIDConnectProvider");
    change(call, act, ProviderChange::RemoveClient(client)).await
}

pub(super) async fn thumbprints(call: &Call<'_>) -> Result<Xml> {
    let list = call.form.list("ThumbprintList");
    let act = Act::of("iam:UpdateOpenIDConnectProviderThumbprint");
    change(call, act, ProviderChange::Thumbprints(list)).await
}

pub(super) async fn tag(call: &Call<'_>) -> Result<Xml> {
    change(
        call,
        Act::of("iam:TagOpenIDConnectProvider"),
        ProviderChange::Tag(call.form.tags()),
    )
    .await
}

pub(super) async fn list_tags(call: &Call<'_>) -> Result<Xml> {
    let arn = call.form.need("OpenIDConnectProviderArn")?;
    let act = Act::of("iam:ListOpenIDConnectProviderTags");
    let found = call.gate.provider(call.session, arn, act).await?;
    let mut xml = Xml::new();
    tags(&mut xml, &found.tags);
    next(&mut xml, None);
    Ok(xml)
}

pub(super) async fn untag(call: &Call<'_>) -> Result<Xml> {
    let keys = call.form.list("TagKeys");
    change(
        call,
        Act::of("iam:UntagOpenIDConnectProvider"),
        ProviderChange::Untag(keys),
    )
    .await
}
