"""What a key says of its value: ``apiKey``, ``API-KEY`` and ``api key`` are one name with one meaning."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["NAMES", "Names", "key_kind", "key_name"]

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS: Final = re.compile(r"[^a-z0-9\xdf-\xff]{1,64}")
_LONGEST_KEY: Final = 64


def key_name(key: str) -> str:
    """Return *key* in snake case: ``apiKey``, ``API-KEY`` and ``api key`` are all ``api_key``."""
    return _SEPARATORS.sub("_", _CAMEL.sub("_", key[:_LONGEST_KEY]).lower()).strip("_")


def _table(kinds: Mapping[str, str]) -> dict[str, str]:
    return {name: kind for kind, names in kinds.items() for name in names.split()}


_WHOLE: Final[Mapping[str, str]] = _table(
    {
        "SECRET": """
        auth authorization proxyauthorization xauth bearer connectionstring cookie cookies setcookie cred creds cvc
        cvc2 cvv cvv2 cardcvc cardcvv csc securitycode jwt pass passcode passphrase passwd passwort pw pwd sig secrets
        sessionid sessionkey sessid phpsessid jsessionid signaturekey sastoken sas otp otpcode mfacode totp pin
        webhookurl webhooksecret dsn privkey mnemonic seedphrase recoverycode recoverycodes backupcodes xapikey
        apikeyid xamzsecuritytoken sshkey pgpkey licensekey hmackey signingkey masterkey mdp kennwort contrasena
        contraseña clave clavesecreta motdepasse senha wachtwoord haslo parola salasana losenord adgangskode
        credential credentials token secret password passwords apikey apikeys csrf xcsrftoken csrftoken xsrftoken
        idtoken databaseurl redisurl mongourl amqpurl
    """,
        "EMAIL": "email emails emailaddress mail mailaddress emailaddresses correo correoelectronico courriel",
        "PHONE": """
        phone phones phonenumber phonenumbers telephone mobile mobilenumber mobilephone cellphone fax faxnumber tel
        whatsapp msisdn telefon telefono teléfono telefone telefonnummer telefoonnummer telefoon handy handynummer
        movil móvil celular portable phonemobile contactnumber phoneno mobileno telno numtel numerotelefono
    """,
        "US_SSN": "ssn socialsecurity socialsecuritynumber ssnlast4 itin",
        "CREDIT_CARD": """
        cardnumber creditcard creditcardnumber cardno creditcardno ccnumber ccnum debitcard primaryaccountnumber
        numerotarjeta kartennummer kreditkarte numerocarte
    """,
        "IBAN": "iban bankaccount accountiban bankaccountnumber kontonummer",
        "DATE_OF_BIRTH": """
        dateofbirth dob birthdate birthday birthday bday dateborn born fechanacimiento fechadenacimiento datenaissance
        datedenaissance geburtsdatum geburtstag datanascita datadinascita datanascimento datadenascimento
        geboortedatum dataurodzenia
    """,
        "PERSON": """
        firstname lastname fullname middlename surname givenname familyname maidenname customername patientname
        cardholder cardholdername contactname employeename recipientname sendername beneficiaryname accountholder
        legalname vorname nachname nombrecompleto apellido apellidos nomcomplet prenom prénom nomdefamille cognome
        sobrenome achternaam voornaam imie nazwisko applicantname guestname passengername
    """,
        "ADDRESS": """
        address street streetaddress streetname addressline addressline1 addressline2 address1 address2 homeaddress
        billingaddress shippingaddress mailingaddress postaladdress residentialaddress deliveryaddress addr1 addr2
        direccion dirección adresse anschrift strasse straße indirizzo endereco endereço adres adrespocztowy domicilio
        domicile
    """,
        "ID": """
        passport passportnumber passportno passportnum passportid taxid taxpayerid taxidentificationnumber tin
        nationalid nationalidnumber nationalinsurancenumber nationalinsurance nino nhsnumber nhsno nhs driverlicense
        driverslicense driverlicensenumber driverslicensenumber driverslicence drivinglicence drivinglicencenumber
        licensenumber licencenumber dlnumber identitycard identitynumber idcard idcardnumber dni nie nif cif
        codicefiscale pesel nip cpf cnpj aadhaar aadhaarnumber aadhar pannumber pancard steuerid steuernummer
        steueridentifikationsnummer idnr nir numerosecuritesociale numerosecu insee bsn burgerservicenummer
        personnummer personalnumber personalid fodselsnummer cprnumber cpr hetu ahv ahvnummer rut curp cuit cuil
        sin voterid medicare medicarenumber tfn ppsn citizenid residentid rodnecislo cnp egn amka tckimlik rrn
        medicalrecordnumber mrn socialinsurancenumber
    """,
    }
)
"""Names without separators."""
_ENDINGS: Final[Mapping[str, str]] = _table(
    {
        "SECRET": """
        _password _passwd _pwd _secret _token _api_key _apikey _access_key _private_key _secret_key _signing_key
        _passphrase _credentials _credential _account_key _authorization _cookie _session_key _auth_key _service_key
        _encryption_key _license_key _access_token _refresh_token _client_secret _webhook_secret _connection_string
        _passwort _contrasena _contraseña _passcode _security_code _subscription_key _app_key _storage_key _master_key
        _session_id _sessionid _api_secret _secret_id _pin_code _dsn _auth_token _pass _key_secret _shared_access_key
        _shared_key _sas _signature _csrf _jwt
    """,
        "EMAIL": "_email _email_address _e_mail _mail_address",
        "PHONE": "_phone _phone_number _mobile _fax _telephone _mobile_number _cell _tel _telefono _telefon",
        "PERSON": "_first_name _last_name _full_name _surname _given_name _family_name _holder_name",
        "US_SSN": "_ssn _social_security_number _social_security",
        "DATE_OF_BIRTH": "_dob _date_of_birth _birth_date _birthdate _birthday",
        "CREDIT_CARD": "_card_number _credit_card _card_no _credit_card_number",
        "IBAN": "_iban",
        "ADDRESS": "_street _street_address _home_address _billing_address _shipping_address _postal_address",
        "ID": """
        _passport _passport_number _passport_no _tax_id _national_id _license_number _licence_number _nhs_number _nino
        _insurance_number _identity_number _dni _nie _cpf _cnpj _pesel _aadhaar _steuer_id _codice_fiscale
        _national_number _drivers_license _driver_license _driving_licence _nir
    """,
    }
)
_SQUEEZED: Final[Mapping[str, str]] = _table(
    {
        "SECRET": """
        password passwd passphrase apikey accesskey secretkey privatekey accesstoken authtoken clientsecret
        connectionstring refreshtoken secretaccesskey
    """,
        "EMAIL": "emailaddress",
        "PHONE": "phonenumber",
        "DATE_OF_BIRTH": "dateofbirth",
        "CREDIT_CARD": "cardnumber creditcard",
        "PERSON": "firstname lastname",
    }
)
_KNOWN: Final = {name.replace("_", ""): kind for name, kind in _ENDINGS.items()} | dict(_WHOLE)
_ENDING: Final = re.compile(f"(?:{'|'.join(sorted(_ENDINGS, key=len, reverse=True))})\\Z")
_SQUEEZED_ENDING: Final = re.compile(f"(?:{'|'.join(sorted(_SQUEEZED, key=len, reverse=True))})\\Z")
# Words of language models and of paging, not of authentication; keys of tables, not of doors.
_PLAIN: Final = re.compile(
    r"(?:bos|cls|continuation|continue|cancellation|eos|first|last|mask|next|output|input|pad|page|per|prompt|sep|"
    r"special|stop|sync|think|unk|each|every|new|pagination|cursor|image|sub|max|min)_?token\Z|"
    r"(?:no|by|first|second|last|bounding|boarding|low|high|all|single|multi|one|two|by)_pass\Z|"
    r"(?:ip|ipv4|ipv6|mac|memory|host|server|bind|listen|socket|web|url|net|network|remote|local|peer|contract|base|start|end|"
    r"hardware|bluetooth|byte|virtual|physical)_?addr(?:ess)?\Z|"
    r"(?:checkpoint|conversation|chat|trace|agent|run|thread|langfuse|lc|user|openai|analytics|voice)_session_id\Z"
)


@functools.lru_cache(maxsize=2048)
def key_kind(key: str) -> str | None:
    """Return the type of data that stands under *key*, or None when the key says nothing."""
    name = key_name(key)
    squeezed = name.replace("_", "")
    if kind := _KNOWN.get(squeezed):
        return kind
    if _PLAIN.search(name):
        return None
    ending = _ENDING.search("_" + name)
    if ending is not None:
        return "PRIVATE_KEY" if ending[0] == "_private_key" else _ENDINGS[ending[0]]
    glued = _SQUEEZED_ENDING.search(squeezed)
    return None if glued is None else _SQUEEZED[glued[0]]


_PARTS: Final = re.compile(r"[_\s.,\-]{1,8}")
_LONGEST_ENDING: Final = 3


@dataclass(frozen=True, slots=True)
class Names:
    """What the names in a text say of the values under them.

    Attributes:
        rule: The type of data under one name, or None.
        harmless: Names that say nothing, as bytes of a text: the same few fill any text. Bounded; plain words only.
        telling: The last words of those that say something, likewise.
    """

    rule: Callable[[str], str | None] = key_kind
    harmless: set[bytes] = field(default_factory=set[bytes], compare=False)
    telling: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes], compare=False)

    def kind(self, name: str) -> str | None:
        """Return what stands under *name*, or under its last words: ``the customer's date of birth``."""
        if (kind := self.rule(name)) or _PLAIN.search(key_name(name)):
            return kind
        words = _PARTS.split(name)
        for count in range(min(_LONGEST_ENDING, len(words) - 1), 0, -1):
            if kind := self.rule("_".join(words[-count:])):
                return kind
        return None


NAMES: Final = Names()
