# photorelay, password script of the management agent. PSMA wants the file; this management agent sets no passwords.
param()
throw 'photorelay: this management agent sets no passwords. Turn off its password management.'
