//! Logging in, users and API keys.

use super::call::{Call, FORM, FORM_IN_PARTS, Gives, JSON, Who, of};
use utoipa::ToSchema;

pub(super) const CALLS: &[Call] = &[
    Call::new("POST", "/api/token-auth", "Log in: a token for the Authorization header", Gives::Bare(of::<LoggedIn>))
        .takes(&[(FORM, of::<LogIn>), (FORM_IN_PARTS, of::<LogIn>), (JSON, of::<LogIn>)])
        .by(Who::Anybody),
    Call::new("GET", "/api/logout", "Revoke the token that asks", Gives::Nothing),
    Call::new("POST", "/api/forgot-username", "Mail the usernames of an address to it", Gives::Nothing)
        .takes(&[(JSON, of::<ForgottenUsername>)])
        .by(Who::Anybody),
    Call::new("POST", "/api/forgot-password", "Mail a reset code", Gives::Nothing)
        .takes(&[(JSON, of::<ForgottenPassword>)])
        .by(Who::Anybody),
    Call::new("POST", "/api/forgot-password/reset", "Set a password by a reset code", Gives::Nothing)
        .takes(&[(JSON, of::<PasswordReset>)])
        .by(Who::Anybody),
    Call::new("POST", "/api/user/forgot-username", "As /api/forgot-username", Gives::Nothing)
        .takes(&[(JSON, of::<ForgottenUsername>)])
        .by(Who::Anybody),
    Call::new("POST", "/api/user/forgot-password", "As /api/forgot-password", Gives::Nothing)
        .takes(&[(JSON, of::<ForgottenPassword>)])
        .by(Who::Anybody),
    Call::new("POST", "/api/user/forgot-password/reset", "As /api/forgot-password/reset", Gives::Nothing)
        .takes(&[(JSON, of::<PasswordReset>)])
        .by(Who::Anybody),
    Call::new("POST", "/api/user/change-password", "Change a password", Gives::Nothing).takes(&[(JSON, of::<PasswordChange>)]),
    Call::new("POST", "/api/user", "Add a user", Gives::One(of::<User>)).takes(&[(JSON, of::<NewUser>)]),
    Call::new("GET", "/api/user", "The user who asks", Gives::One(of::<User>)),
    Call::new("GET", "/api/users", "All users", Gives::ListOf(of::<User>)),
    Call::new("GET", "/api/user/{id}", "One user", Gives::One(of::<User>)),
    Call::new("POST", "/api/user/{id}", "Change a user", Gives::One(of::<User>)).takes(&[(JSON, of::<UserChange>)]),
    Call::new("DELETE", "/api/user/{id}", "Remove a user", Gives::Nothing),
    Call::new("POST", "/api/user/apikey", "Add a key; it is shown here and never again", Gives::One(of::<ApiKey>))
        .takes(&[(JSON, of::<NewApiKey>)]),
    Call::new("GET", "/api/user/apikeys", "All keys, each with its last characters only", Gives::ListOf(of::<ApiKey>)),
    Call::new("GET", "/api/user/apikey", "As /api/user/apikeys", Gives::ListOf(of::<ApiKey>)),
    Call::new("DELETE", "/api/user/apikey/{key}", "Remove a key, by itself or by its id", Gives::Nothing),
];

shapes! {
    /// Who logs in.
    LogIn { username: String, password: String }
    /// A log-in that was right.
    LoggedIn { #[schema(pattern = "^successful$")] status: String, token: String }
    /// Whose usernames are asked for.
    ForgottenUsername { email: String }
    /// Whose password is to be reset.
    ForgottenPassword { username: String }
    /// A reset code and what it is used for.
    PasswordReset { username: String, reset_code: String, password: String }
    /// A password and the one that takes its place.
    PasswordChange { username: String, current_password: String, new_password: String }
    /// A user that is to be added.
    NewUser {
        username: String,
        password: String,
        name: Option<String>,
        #[schema(example = "6305555555")] phone: Option<String>,
        #[schema(example = "user@example.com")] email: Option<String>,
        #[schema(example = "ETC/UTC")] timezone: Option<String>,
        /// `active` or `disabled`.
        #[schema(pattern = "^(active|disabled)$")] status: Option<String>,
        /// `admin` or `standard`.
        #[schema(pattern = "^(admin|standard)$")] role: Option<String>,
    }
    /// What is to be changed of a user; what is left out stays.
    UserChange {
        name: Option<String>,
        phone: Option<String>,
        email: Option<String>,
        timezone: Option<String>,
        #[schema(pattern = "^(active|disabled)$")] status: Option<String>,
        #[schema(pattern = "^(admin|standard)$")] role: Option<String>,
    }
    /// A user.
    User {
        #[schema(pattern = "^[0-9a-v]{20}$")] id: String,
        username: String,
        name: String,
        phone: String,
        email: String,
        timezone: String,
        #[schema(pattern = "^(active|disabled)$")] status: String,
        #[schema(pattern = "^(admin|standard)$")] role: String,
        account_type: String,
        account_type_id: String,
        #[schema(format = DateTime)] created_at: String,
        #[schema(format = DateTime)] updated_at: String,
    }
    /// A key that is to be added.
    NewApiKey {
        name: Option<String>,
        /// `api`, or `pub` for a browser's.
        #[schema(pattern = "^(api|pub)$")] r#type: Option<String>,
    }
    /// A key.
    ApiKey {
        #[schema(pattern = "^[0-9a-v]{20}$")] id: String,
        api_key: String,
        name: String,
        #[schema(pattern = "^(api|pub)$")] r#type: String,
        user_id: String,
        account_type: String,
        account_type_id: String,
        #[schema(format = DateTime)] created_at: String,
        #[schema(format = DateTime)] updated_at: String,
    }
}
