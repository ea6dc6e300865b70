-- All grades: of teacher, student, reference, imported labelers and the final ones, with query and title.
with answers as (
    select * from teacher_labels
    union all by name
    select * from asked_labels
),

teacher as (
    select
        corpus, query_id, doc_id, 'teacher' as labeler,
        grade, expected_grade, teacher_model as model, rationale, labeled_at
    from answers
    where status = 'ok'
),

student as (
    select corpus, query_id, doc_id, 'student' as labeler, grade, expected_grade, model_id as model
    from student_labels
),

-- The grade to use. Its model is whose grade it is: people, teacher or student.
final_grade as (
    select corpus, query_id, doc_id, 'final' as labeler, grade, expected_grade, labeler as model
    from final_labels
),

imported as (
    select corpus, query_id, doc_id, labeler, grade, expected_grade, model
    from imported_labels
),

reference as (
    select
        corpus, query_id, doc_id, 'reference' as labeler,
        grade, kind || ':' || assessor as model
    from reference_labels
),

queries as (
    select corpus, query_id, text as query, intent, split from synthetic_queries
),

documents as (
    select corpus, doc_id, title from seed_docs
),

grades as (
    select * from teacher
    union all by name
    select * from student
    union all by name
    select * from reference
    union all by name
    select * from final_grade
    union all by name
    select * from imported
),

final as (
    select
        corpus, labeler, query_id, query, intent, split, doc_id, title,
        grade, expected_grade, model, rationale, labeled_at
    from grades
    left join queries using (corpus, query_id)
    left join documents using (corpus, doc_id)
)

select * from final
