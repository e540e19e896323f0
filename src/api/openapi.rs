//! `GET /api/v1/openapi.json` and `/docs`: the API's own description, served from the binary.

use axum::Router;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, SecurityRequirement, Tag,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::schema;

/// Where the document is served.
pub(super) const PATH: &str = "/api/v1/openapi.json";

const DESCRIPTION: &str = "KPIs of factories, with where each figure comes from. The same API is served by a box for \
    its factory and by a hub for its parks. Times are RFC 3339; integers beyond 2^53-1 are decimal strings; a missing \
    value is null with a reason; errors are RFC 9457 problems. The API only reads; pages of gateways and what a box is told are \
    the exceptions.";

/// Returns the document without its paths, which the router adds.
pub(super) fn document() -> OpenApi {
    let info = InfoBuilder::new()
        .title("parkgate")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build();
    let components = ComponentsBuilder::new()
        .schema(schema::Problem::name(), schema::Problem::schema())
        .security_scheme("bearer", SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()))
        .security_scheme("basic", SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Basic).build()))
        .build();
    let tag = |name: &str, words: &str| {
        let mut tag = Tag::new(name);
        tag.description = Some(words.to_owned());
        tag
    };
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        // An empty requirement: on loopback without a token nothing need be sent.
        .security(Some([
            SecurityRequirement::default(),
            SecurityRequirement::new::<_, [String; 0], String>("bearer", []),
            SecurityRequirement::new::<_, [String; 0], String>("basic", []),
        ]))
        .tags(Some([
            tag("kpi", "Figures and what they mean."),
            tag("directory", "What figures are about, and who delivers them."),
            tag("declarations", "What nobody measures and people answer for; on a box."),
            tag("egress", "What left a box and what stayed inside."),
            tag("operation", "How the program is."),
            tag("pages", "How gateways deliver signed pages."),
        ]))
        .build()
}

/// Returns the routes of the document and of the pages that show it.
pub(super) fn pages(document: OpenApi) -> Router {
    // The validator badge would ask a server on the internet.
    let config = Config::from(PATH).validator_url("none").try_it_out_enabled(false);
    SwaggerUi::new("/docs").url(PATH, document).config(config).into()
}
