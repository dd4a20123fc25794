// The workbook: what photorelay does, over days. docs/monitoring.md describes each chart; the queries are the files of
// monitoring/, and `cargo xtask infra` parses them.

param suffix string
param location string
param tags object
param workspaceId string

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(workspaceId, 'photorelay-workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    category: 'workbook'
    displayName: 'photorelay ${suffix}'
    sourceId: workspaceId
    version: 'Notebook/1.0'
    serializedData: replace(loadTextContent('../monitoring/workbook.json'), '{workspaceId}', workspaceId)
  }
}
