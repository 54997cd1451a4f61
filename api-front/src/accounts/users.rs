//! Users: made, changed, removed; and their passwords, changed by whoever knows the old one.

use super::passwords;
use super::{AccountError, Accounts};
use persistence::stores::{Role, Stores, User};
use protocol::calendar::Micros;
use protocol::id::Xid;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

/// A user as it is asked for, checked.
pub struct NewUser {
    /// The name to log in with.
    pub username: String,
    /// First and last name.
    pub name: String,
    /// Empty when unknown.
    pub phone: String,
    /// Empty when unknown.
    pub email: String,
    /// Empty when unknown.
    pub timezone: String,
    /// The password, to be hashed.
    pub password: Zeroizing<String>,
    /// False: may not log in.
    pub active: bool,
    /// What it may do.
    pub role: Role,
}

/// What is to be changed of a user; what is `None` stays as it is.
#[derive(Debug, Default)]
pub struct UserChange {
    /// First and last name.
    pub name: Option<String>,
    /// Telephone.
    pub phone: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Time zone.
    pub timezone: Option<String>,
    /// Whether it may log in.
    pub active: Option<bool>,
    /// What it may do.
    pub role: Option<Role>,
}

impl Accounts {
    /// Adds a user to a merchant's account.
    pub async fn create_user(&self, merchant: Xid, new: NewUser) -> Result<User, AccountError> {
        let password = self.0.hashing.hash(&new.password).await?;
        let (id, now) = (self.0.switch.draw_id(), self.0.switch.now());
        let NewUser { username, name, phone, email, timezone, active, role, password: _ } = new;
        let user = User {
            id,
            merchant,
            username,
            name,
            phone,
            email,
            timezone,
            password,
            active,
            role,
            tokens_from: now,
            created_at: now,
            updated_at: now,
        };
        let added = self.0.switch.stores().add_user(&user).await?;
        if added { Ok(user) } else { Err(AccountError::NameTaken) }
    }

    /// Changes a user of a merchant.
    pub async fn change_user(&self, merchant: &Xid, id: &Xid, change: UserChange) -> Result<User, AccountError> {
        let mut user = self.user(merchant, id).await?;
        user.name = change.name.unwrap_or(user.name);
        user.phone = change.phone.unwrap_or(user.phone);
        user.email = change.email.unwrap_or(user.email);
        user.timezone = change.timezone.unwrap_or(user.timezone);
        user.active = change.active.unwrap_or(user.active);
        user.role = change.role.unwrap_or(user.role);
        user.updated_at = self.0.switch.now();
        if self.0.switch.stores().change_user(&user).await? {
            return Ok(user);
        }
        self.user(merchant, id).await.and(Err(AccountError::LastAdmin))
    }

    /// Removes a user of a merchant, and its keys.
    pub async fn delete_user(&self, merchant: &Xid, id: &Xid) -> Result<(), AccountError> {
        if self.0.switch.stores().delete_user(merchant, id).await? {
            return Ok(());
        }
        self.user(merchant, id).await.and(Err(AccountError::LastAdmin))
    }

    /// A user of a merchant.
    pub async fn user(&self, merchant: &Xid, id: &Xid) -> Result<User, AccountError> {
        let user = self.0.switch.stores().user(id).await?;
        user.filter(|user| user.merchant == *merchant).ok_or(AccountError::NotFound)
    }

    /// A merchant's users, oldest first.
    pub async fn users(&self, merchant: &Xid) -> Result<Vec<User>, AccountError> {
        Ok(self.0.switch.stores().users(merchant).await?)
    }

    /// Who asks: the user of the token or key, or for an account's own key its oldest active admin.
    pub async fn current_user(&self, merchant: &Xid, asking: &Xid) -> Result<User, AccountError> {
        if !asking.is_none() {
            return self.user(merchant, asking).await;
        }
        let users = self.users(merchant).await?;
        users.into_iter().find(|user| user.active && user.role == Role::Admin).ok_or(AccountError::NotFound)
    }

    /// Gives a merchant's user another password. Attempts with a wrong one are counted as those to log in are.
    pub async fn change_password(&self, merchant: &Xid, username: &str, current: &str, new: &str) -> Result<User, AccountError> {
        let user = self.prove_password(username, current).await?;
        if user.merchant != *merchant {
            return Err(AccountError::Credentials);
        }
        let hash = self.0.hashing.hash(new).await?;
        self.0.switch.stores().set_password(&user.id, &hash, self.0.switch.now()).await?;
        Ok(user)
    }
}

/// Adds a user who may do everything. False, and nothing done, when the name is taken.
pub async fn create_admin(
    stores: &Stores,
    merchant: Xid,
    username: &str,
    password: &str,
    id: Xid,
    now: Micros,
) -> Result<bool, AccountError> {
    let password = hash(password).await?;
    let admin = User {
        id,
        merchant,
        username: username.to_owned(),
        name: username.to_owned(),
        phone: String::new(),
        email: String::new(),
        timezone: "ETC/UTC".to_owned(),
        password,
        active: true,
        role: Role::Admin,
        tokens_from: now,
        created_at: now,
        updated_at: now,
    };
    Ok(stores.add_user(&admin).await?)
}

/// Sees to it that a merchant has an admin with this name and password: the sandbox's, which its file names.
pub async fn ensure_admin(
    stores: &Stores,
    merchant: Xid,
    username: &str,
    password: &str,
    id: Xid,
    now: Micros,
) -> Result<(), AccountError> {
    let Some(user) = stores.user_by_name(username).await? else {
        create_admin(stores, merchant, username, password, id, now).await?;
        return Ok(());
    };
    if user.merchant != merchant {
        tracing::warn!("the name of the sandbox's user belongs to another merchant's; it can't log in");
        return Ok(());
    }
    let (known, told) = (user.password, Zeroizing::new(password.to_owned()));
    let is_right = spawn_blocking(move || passwords::is_right(&told, Some(&known))).await;
    if !is_right.unwrap_or(false) {
        stores.set_password(&user.id, &hash(password).await?, now).await?;
    }
    Ok(())
}

async fn hash(password: &str) -> Result<String, AccountError> {
    let password = Zeroizing::new(password.to_owned());
    let hashed = spawn_blocking(move || passwords::hash(&password)).await;
    hashed.unwrap_or(Err(AccountError::Cryptography { operation: "hash a password" }))
}
